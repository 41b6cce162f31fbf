import { open, type FileHandle } from 'node:fs/promises';
import { FormatError } from '../../errors.js';
import type { Pace } from '../pace.js';
import { BIG, DIRTY, MAGIC, META, NODE_HEADER, NO_PAGE, PAGE, PAGE_HEADER, TREE, VERSION } from './format.js';

/** What a reader of records needs to know of a file. */
export interface Layout {
  readonly file: string;
  readonly bytes: number;
  readonly pageSize: number;
}

/** A database and where its records lie: byte offsets of the nodes in the leaves, in the order of the keys. */
export interface Located extends Layout {
  readonly records: Float64Array;
}

interface Meta {
  readonly pageSize: number;
  readonly txn: bigint;
  readonly flags: number;
  readonly depth: number;
  readonly entries: number;
  readonly root: bigint;
}

/** Deepest tree that LMDB itself walks. */
const MOST_DEPTH = 32;
/** Least bytes of a record: its node and the pointer to it. */
const LEAST_RECORD = NODE_HEADER + 2;
/** Pages asked of the file system at once. */
const TOGETHER = 32;

/**
 * Finds the records of the unnamed database without reading their values.
 * @throws {FormatError} when the file is cut short or no LMDB of a kind that Caffe writes
 */
export async function locateRecords(file: string, pace: Pace): Promise<Located> {
  await using handle = await open(file);
  const { size: bytes } = await handle.stat();
  const meta = await readMeta(handle, file, bytes);
  const walk = new Walk({ file, bytes, pageSize: meta.pageSize }, handle, meta, pace);
  return { file, bytes, pageSize: meta.pageSize, records: await walk.all() };
}

async function readMeta(handle: FileHandle, file: string, bytes: number): Promise<Meta> {
  const first = parseMeta(await readAt(handle, 0, META.end), file);
  const second = await readAt(handle, first.pageSize, META.end);
  const metas = second.length === META.end ? [first, parseMeta(second, file)] : [first];
  const meta = metas.reduce((best, each) => (each.txn > best.txn ? each : best));
  if (meta.flags !== 0) {
    throw new FormatError(
      `${file}: expected a database of plain keys and values, got flags 0x${meta.flags.toString(16)}`,
    );
  }
  if (meta.depth > MOST_DEPTH || meta.entries * LEAST_RECORD > bytes) {
    throw new FormatError(`${file}: cut short: it speaks of ${meta.entries} records and has ${bytes} bytes`);
  }
  return meta;
}

function parseMeta(page: Buffer, file: string): Meta {
  if (page.length < META.end || page.readUInt32LE(META.magic) !== MAGIC) {
    throw new FormatError(`${file}: not an LMDB file of a 64-bit little-endian machine`);
  }
  const version = page.readUInt32LE(META.version);
  if (version !== VERSION) {
    throw new FormatError(`${file}: expected LMDB format ${VERSION}, which LMDB 0.9 writes, got ${version}`);
  }
  const pageSize = page.readUInt32LE(META.free + TREE.pad);
  if (pageSize < 256 || pageSize > 65536 || (pageSize & (pageSize - 1)) !== 0) {
    throw new FormatError(`${file}: expected pages of 256 to 65536 bytes, got ${pageSize}`);
  }
  const main = (offset: number): bigint => page.readBigUInt64LE(META.main + offset);
  return {
    pageSize,
    txn: page.readBigUInt64LE(META.txn),
    flags: page.readUInt16LE(META.main + TREE.flags),
    depth: page.readUInt16LE(META.main + TREE.depth),
    entries: Number(main(TREE.entries)),
    root: main(TREE.root),
  };
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

/** A walk through a tree from its root to the leaves. */
class Walk {
  readonly #records: Float64Array;
  #found = 0;

  constructor(
    readonly layout: Layout,
    readonly handle: FileHandle,
    readonly meta: Meta,
    readonly pace: Pace,
  ) {
    this.#records = new Float64Array(meta.entries);
  }

  async all(): Promise<Float64Array> {
    const { meta, layout } = this;
    if (meta.root !== NO_PAGE) await this.#visit([Number(meta.root)], 1);
    if (this.#found !== meta.entries) {
      throw new FormatError(`${layout.file}: damaged: expected ${meta.entries} records, got ${this.#found}`);
    }
    return this.#records;
  }

  async #visit(numbers: readonly number[], depth: number): Promise<void> {
    for (let at = 0; at < numbers.length; at += TOGETHER) {
      const own = numbers.slice(at, at + TOGETHER);
      const pages = await Promise.all(own.map((number) => this.#page(number)));
      await this.pace.rest();
      for (const [i, page] of pages.entries()) {
        if (depth < this.meta.depth) await this.#visit(this.#children(page, own[i]!), depth + 1);
        else this.#collect(page, own[i]!);
      }
    }
  }

  async #page(number: number): Promise<Buffer> {
    const { file, bytes, pageSize } = this.layout;
    if (number < 2 || (number + 1) * pageSize > bytes) {
      throw new FormatError(
        `${file}: cut short or damaged: page ${number} of ${pageSize} bytes does not lie within its ${bytes} bytes`,
      );
    }
    const page = await readAt(this.handle, number * pageSize, pageSize);
    if (page.length < pageSize || Number(page.readBigUInt64LE(0)) !== number) throw this.#damaged(number);
    return page;
  }

  #children(page: Buffer, number: number): number[] {
    return this.#nodes(page, number, PAGE.branch).map((at) => page.readUIntLE(at, 6));
  }

  #collect(page: Buffer, number: number): void {
    const { pageSize, bytes, file } = this.layout;
    const nodes = this.#nodes(page, number, PAGE.leaf);
    if (this.#found + nodes.length > this.#records.length) throw this.#damaged(number);
    for (const at of nodes) {
      const flags = page.readUInt16LE(at + 4);
      const data = at + NODE_HEADER + page.readUInt16LE(at + 6);
      const inside = flags === BIG ? 8 : page.readUInt32LE(at);
      if ((flags & ~BIG) !== 0) throw new FormatError(`${file}: expected one database without a name, got several`);
      if (data + inside > pageSize) throw this.#damaged(number);
      if (flags === BIG) {
        const end = Number(page.readBigUInt64LE(data)) * pageSize + PAGE_HEADER + page.readUInt32LE(at);
        if (end > bytes) throw new FormatError(`${file}: cut short: a record reaches to byte ${end} of ${bytes}`);
      }
      this.#records[this.#found++] = number * pageSize + at;
    }
  }

  /** Offsets of the nodes in a page, checked as far as the header of each goes. */
  #nodes(page: Buffer, number: number, kind: number): number[] {
    const count = (page.readUInt16LE(12) - PAGE_HEADER) / 2;
    const fits = Number.isInteger(count) && count > 0 && PAGE_HEADER + 2 * count <= page.length;
    if ((page.readUInt16LE(10) & ~DIRTY) !== kind || !fits) throw this.#damaged(number);
    return Array.from({ length: count }, (_, i) => {
      const at = page.readUInt16LE(PAGE_HEADER + 2 * i);
      if (at < PAGE_HEADER || at + NODE_HEADER > page.length) throw this.#damaged(number);
      return at;
    });
  }

  #damaged(number: number): FormatError {
    return new FormatError(`${this.layout.file}: damaged: page ${number} is not what the tree says`);
  }
}
