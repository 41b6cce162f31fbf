import { closeSync, openSync, readSync } from 'node:fs';
import { FormatError } from '../../errors.js';
import { BIG, DIRTY, mostNode, NODE_HEADER, PAGE, PAGE_HEADER } from './format.js';
import type { Layout } from './locate.js';

export interface KeyValue {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** Reads records by the places that locateRecords() found. Reads synchronously: not for the main thread. */
export class RecordReader {
  readonly #descriptor: number;

  constructor(readonly layout: Layout) {
    this.#descriptor = openSync(layout.file, 'r');
  }

  /** @throws {FormatError} when the file is no longer what it was, or damaged where the value lies */
  read(at: number): KeyValue {
    const { pageSize } = this.layout;
    // A node does not reach over the end of its page.
    const node = this.#bytes(at, Math.min(mostNode(pageSize), pageSize - (at % pageSize)));
    const size = node.readUInt32LE(0);
    const data = NODE_HEADER + node.readUInt16LE(6);
    const big = node.readUInt16LE(4) === BIG;
    if (data + (big ? 8 : size) > node.length) throw this.#damaged(at);
    const value = big ? this.#far(Number(node.readBigUInt64LE(data)), size, at) : node.subarray(data, data + size);
    return { key: node.subarray(NODE_HEADER, data), value };
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #far(page: number, size: number, at: number): Buffer {
    const start = page * this.layout.pageSize;
    if (start + PAGE_HEADER + size > this.layout.bytes) throw this.#damaged(at);
    const bytes = this.#bytes(start, PAGE_HEADER + size);
    if (Number(bytes.readBigUInt64LE(0)) !== page || (bytes.readUInt16LE(10) & ~DIRTY) !== PAGE.overflow) {
      throw this.#damaged(at);
    }
    return bytes.subarray(PAGE_HEADER);
  }

  #bytes(position: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    if (readSync(this.#descriptor, bytes, 0, length, position) < length) throw this.#damaged(position);
    return bytes;
  }

  #damaged(at: number): FormatError {
    return new FormatError(`${this.layout.file}: damaged or changed: the record at byte ${at} cannot be read`);
  }
}
