import { PassThrough, Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import yauzl from 'yauzl';
import yazl from 'yazl';
import { pause } from '../bytes.js';
import { FormatError, UsageError } from '../errors.js';
import { openRanged, type Ranged } from './ranged.js';

/** A member of an archive. */
export interface ZipEntry {
  /** Unpacked bytes. */
  readonly size: number;
  /** A range of the bytes in an array of its own, without a look at the checksum. @throws {FormatError} */
  slice(start: number, length: number): Promise<Uint8Array>;
  /** All of it, in an array of its own. @throws {FormatError} when the checksum is another */
  read(): Promise<Uint8Array>;
}

/** An open archive: its members by name, in its order. */
export interface Zip {
  readonly where: string;
  readonly entries: ReadonlyMap<string, ZipEntry>;
  close(): Promise<void>;
}

const MOST_ENTRIES = 100_000;
/** Deflate makes a byte of at most so many: RFC 1951 has 258 bytes in two bits. */
const MOST_PER_BYTE = 1032;
const SLICE = 1 << 20;

/** Opens an archive, stored or deflated, of any size. @throws {FormatError} when it is none, or damaged */
export async function openZip(source: string | Uint8Array): Promise<Zip> {
  const file = await openRanged(source);
  try {
    const zip = await yauzl.fromRandomAccessReaderPromise(new Reader(file), file.size, {
      decodeStrings: false,
      autoClose: false,
    });
    if (zip.entryCount > MOST_ENTRIES)
      throw new FormatError(`${file.where}: expected at most ${MOST_ENTRIES} members, got ${zip.entryCount}`);
    const entries = new Map<string, ZipEntry>();
    for await (const entry of zip.eachEntry()) {
      // Without decoding, names are bytes, whatever the types say.
      const name = (entry.fileName as unknown as Buffer).toString();
      if (entries.has(name)) throw new FormatError(`${file.where}: ${name} is there twice`);
      entries.set(name, new Entry(file, zip, entry, `${file.where}: ${name}`));
    }
    return { where: file.where, entries, close: () => file.close() };
  } catch (cause) {
    await file.close();
    throw damaged(file.where, cause);
  }
}

function damaged(where: string, cause: unknown): FormatError {
  if (cause instanceof FormatError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new FormatError(`${where}: not a readable zip archive: ${reason}`, { cause });
}

/** Gives the library the ranges that it asks for. */
class Reader extends yauzl.RandomAccessReader {
  constructor(private readonly file: Ranged) {
    super();
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from(slices(this.file, start, end), { objectMode: false });
  }
}

async function* slices(file: Ranged, start: number, end: number): AsyncGenerator<Uint8Array> {
  for (let at = start; at < end; at += SLICE) yield await file.read(at, Math.min(SLICE, end - at));
}

class Entry implements ZipEntry {
  readonly size: number;

  constructor(
    private readonly file: Ranged,
    private readonly zip: yauzl.ZipFile,
    private readonly entry: yauzl.Entry,
    private readonly where: string,
  ) {
    this.size = entry.uncompressedSize;
    if (entry.isEncrypted() || ![0, 8].includes(entry.compressionMethod))
      throw new FormatError(`${where}: expected a stored or deflated member, got method ${entry.compressionMethod}`);
    if (this.size > MOST_PER_BYTE * entry.compressedSize)
      throw new FormatError(`${where}: ${entry.compressedSize} bytes cannot hold the ${this.size} that it claims`);
  }

  async read(): Promise<Uint8Array> {
    const bytes = await this.slice(0, this.size);
    if ((await checksum(bytes)) === this.entry.crc32) return bytes;
    throw new FormatError(`${this.where}: damaged: its checksum is another`);
  }

  async slice(start: number, length: number): Promise<Uint8Array> {
    if (start + length > this.size)
      throw new FormatError(`${this.where}: expected ${start + length} bytes, got ${this.size}`);
    try {
      if (this.entry.compressionMethod !== 0) return await this.#inflate(start, length);
      const { fileDataStart } = await this.zip.readLocalFileHeaderPromise(this.entry, { minimal: true });
      return await this.file.read(fileDataStart + start, length);
    } catch (cause) {
      throw damaged(this.where, cause);
    }
  }

  async #inflate(start: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    let at = 0;
    const stream = await this.zip.openReadStreamPromise(this.entry);
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      const part = chunk.subarray(Math.max(0, start - at), Math.max(0, start + length - at));
      bytes.set(part, Math.max(0, at - start));
      at += chunk.length;
      if (at >= start + length && at < this.size) break;
    }
    if (at < start + length) throw new FormatError(`${this.where}: expected ${start + length} bytes, got ${at}`);
    return bytes;
  }
}

async function checksum(bytes: Uint8Array): Promise<number> {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += SLICE) {
    sum = crc32(bytes.subarray(at, at + SLICE), sum);
    await pause();
  }
  return sum;
}

/** A member to be written; its bytes are asked for when it is its turn. */
export interface ZipMember {
  readonly name: string;
  readonly bytes: () => AsyncIterable<Uint8Array>;
}

/** The bytes of an archive, made as they are taken. The same members make the same bytes. @throws {UsageError} for a name that no file may have */
export function zipPieces(
  members: Iterable<ZipMember>,
  options: { readonly compress: boolean },
): AsyncIterable<Uint8Array> {
  const zip = new yazl.ZipFile();
  const output = zip.outputStream.pipe(new PassThrough());
  zip.on('error', (error: Error) => output.destroy(error));
  const settings = { ...options, mtime: new Date(1980, 0, 1), forceDosTimestamp: true };
  for (const { name, bytes } of members) {
    try {
      zip.addReadStreamLazy(name, settings, (use) => use(null, Readable.from(sliced(bytes()), { objectMode: false })));
    } catch (cause) {
      throw new UsageError(`${name}: no name for a member of a zip archive`, { cause });
    }
  }
  zip.end();
  return output;
}

async function* sliced(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces)
    for (let at = 0; at < piece.length; at += SLICE) yield piece.subarray(at, at + SLICE);
}
