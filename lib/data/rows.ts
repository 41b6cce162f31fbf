import { closeSync, openSync, readSync } from 'node:fs';
import { FormatError } from '../errors.js';
import { unreadable } from './place.js';

/** Where records of equal length lie: a file, or bytes in memory that threads share. */
export interface RowStore {
  /** For errors. */
  readonly name: string;
  readonly bytes?: Uint8Array;
  /** Bytes before the first record. */
  readonly start: number;
  /** Bytes of one record. */
  readonly size: number;
}

/** Reads records of equal length. Reads synchronously: not for the main thread. */
export class RowReader {
  readonly #descriptor: number | undefined;

  /** @throws {FormatError} when the file cannot be opened */
  constructor(readonly store: RowStore) {
    try {
      this.#descriptor = store.bytes ? undefined : openSync(store.name, 'r');
    } catch (cause) {
      throw unreadable(store.name, cause);
    }
  }

  /** @throws {FormatError} when the file has become shorter */
  row(index: number): Uint8Array {
    const { name, bytes, start, size } = this.store;
    const at = start + index * size;
    if (bytes) return bytes.slice(at, at + size);
    const row = new Uint8Array(size);
    if (readSync(this.#descriptor!, row, 0, size, at) === size) return row;
    throw new FormatError(`${name}: cut short: record ${index} cannot be read`);
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
  }
}
