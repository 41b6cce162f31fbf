import { open, type FileHandle } from 'node:fs/promises';
import { Header, Pax } from 'tar';
import { FormatError } from '../../errors.js';
import type { Pace } from '../pace.js';
import { unreadable } from '../place.js';

/** A file in a tar. */
export interface Entry {
  readonly path: string;
  /** Where its content lies in the tar. */
  readonly at: number;
  readonly size: number;
}

const BLOCK = 512;
/** Bytes read at once: a header, and a small file with the next header behind it. */
const WINDOW = 4096;
/** Longest header of one entry: its long name, say. */
const MOST_META = 1 << 20;

/** A tar, whose content is passed over, not read. */
export class TarFile {
  #window = Buffer.alloc(0);
  #from = 0;

  private constructor(
    readonly name: string,
    readonly bytes: number,
    readonly handle: FileHandle,
  ) {}

  static async open(name: string): Promise<TarFile> {
    const handle = await open(name).catch((cause: unknown) => Promise.reject(unreadable(name, cause)));
    return new TarFile(name, (await handle.stat()).size, handle);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.handle.close();
  }

  /** The files in it. @throws {FormatError} when it is cut short, or no tar */
  async *entries(pace: Pace): AsyncGenerator<Entry> {
    let extended: Pax | undefined;
    let longName: string | undefined;
    // Behind the last file comes a block of zeros.
    for (let at = 0; ;) {
      const header = new Header(await this.read(at, BLOCK), 0, extended);
      if (header.nullBlock) return;
      if (!header.cksumValid) throw new FormatError(`${this.name}: not a tar, or damaged: no header at byte ${at}`);
      const size = header.size ?? 0;
      const next = at + BLOCK + Math.ceil(size / BLOCK) * BLOCK;
      if (at + BLOCK + size > this.bytes) throw this.#cutShort(at + BLOCK + size);
      const { type } = header;
      if (type === 'ExtendedHeader') extended = Pax.parse((await this.#meta(at, size)).toString(), extended);
      else if (type === 'NextFileHasLongPath') longName = (await this.#meta(at, size)).toString().replace(/\0.*$/s, '');
      else {
        const path = longName ?? extended?.path ?? header.path ?? '';
        [extended, longName] = [undefined, undefined];
        if (type === 'File' || type === 'OldFile' || type === 'ContiguousFile') yield { path, at: at + BLOCK, size };
      }
      at = next;
      if (pace.due) await pace.rest();
    }
  }

  /** @throws {FormatError} when there are fewer bytes */
  async read(at: number, length: number): Promise<Buffer> {
    const inside = at >= this.#from && at + length <= this.#from + this.#window.length;
    if (!inside) {
      const window = Buffer.alloc(Math.max(length, WINDOW));
      const { bytesRead } = await this.handle.read(window, 0, window.length, at);
      [this.#window, this.#from] = [window.subarray(0, bytesRead), at];
    }
    const found = this.#window.subarray(at - this.#from, at - this.#from + length);
    if (found.length < length) throw this.#cutShort(at + length);
    return found;
  }

  #meta(at: number, size: number): Promise<Buffer> {
    if (size > MOST_META) throw new FormatError(`${this.name}: damaged: a header of ${size} bytes at byte ${at}`);
    return this.read(at + BLOCK, size);
  }

  #cutShort(end: number): FormatError {
    return new FormatError(`${this.name}: cut short: expected at least ${end} bytes, got ${this.bytes}`);
  }
}
