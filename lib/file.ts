import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { copySlowly } from './bytes.js';
import { FormatError } from './errors.js';

/** A protocol buffer message is never larger. */
const MOST_BYTES = 2 ** 31 - 1;
const TEXT_BYTES = 16 * 1024 * 1024;

/** A piece of a file and where it lies in it. */
export interface Piece {
  readonly bytes: Uint8Array;
  /** Offset of its first byte in the file. */
  readonly origin: number;
  /** Names it in errors. */
  readonly where: string;
}

/** A path, or the content of a file. */
export type Source = string | Uint8Array;

/**
 * Reads a binary file, unpacking it if it is gzipped.
 * @throws {FormatError} when it cannot be read or is larger than 2 GiB
 */
export async function readBinary(source: Source): Promise<Piece> {
  const where = typeof source === 'string' ? source : 'buffer';
  const bytes = typeof source === 'string' ? await readFile(source, MOST_BYTES) : source;
  const packed = bytes[0] === 0x1f && bytes[1] === 0x8b;
  return { bytes: packed ? await unpack(bytes, where) : bytes, origin: 0, where };
}

/** Reads a text file of at most 16 MiB. @throws {FormatError} */
export async function readTextFile(path: string): Promise<string> {
  return Buffer.from(await readFile(path, TEXT_BYTES)).toString();
}

async function readFile(path: string, most: number): Promise<Uint8Array> {
  try {
    await using file = await open(path);
    const { size } = await file.stat();
    if (size > most) throw new FormatError(`${path}: expected at most ${most} bytes, got ${size}`);
    // Pipes have no size. Other files are read straight to where they stay, by the threads that read.
    return size === 0 ? await collect(file.createReadStream(), 0, most, path) : await fill(file, size);
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError(`${path}: cannot be read: ${reason}`, { cause });
  }
}

async function fill(file: FileHandle, size: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(size);
  let length = 0;
  while (length < size) {
    const { bytesRead } = await file.read(bytes, length, Math.min(size - length, 1 << 24));
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return bytes.subarray(0, length);
}

/** All bytes of a stream; `guess` is how many are expected. */
async function collect(stream: Readable, guess: number, most: number, where: string): Promise<Uint8Array> {
  let bytes = Buffer.allocUnsafeSlow(guess);
  let length = 0;
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    if (length + chunk.length > most) throw new FormatError(`${where}: expected at most ${most} bytes, got more`);
    if (length + chunk.length > bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(most, Math.max(2 * bytes.length, length + chunk.length, 1 << 16)));
      await copySlowly(bytes.subarray(0, length), larger, 0);
      bytes = larger;
    }
    bytes.set(chunk, length);
    length += chunk.length;
  }
  return bytes.subarray(0, length);
}

async function unpack(bytes: Uint8Array, where: string): Promise<Uint8Array> {
  try {
    const gunzip = createGunzip({ chunkSize: 1 << 20 });
    return await collect(Readable.from(slices(bytes)).pipe(gunzip), 4 * bytes.length, MOST_BYTES, where);
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw new FormatError(`${where}: broken gzip data: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

function* slices(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1 << 20) yield bytes.subarray(at, at + (1 << 20));
}

/** Pieces of a file, in order. */
export type Pieces = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** Writes a file in pieces; it appears under its name when it is complete and safe on the disk. */
export async function writePieces(path: string, pieces: Pieces): Promise<void> {
  const unfinished = `${path}.${process.pid}.part`;
  try {
    await writeAll(unfinished, pieces);
    await rename(unfinished, path);
    await settle(dirname(path));
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

async function writeAll(path: string, pieces: Pieces): Promise<void> {
  await using file = await open(path, 'w');
  for await (const piece of pieces) {
    // One write call moves at most 2 GiB and may move less.
    for (let at = 0; at < piece.length;)
      at += (await file.write(piece, at, Math.min(piece.length - at, 1 << 26))).bytesWritten;
  }
  // Renamed before its content is safe, a file could be empty after a power failure.
  await file.sync();
}

/** After a power failure a renamed file is surely there only when its folder has been written too. */
export async function settle(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  await using handle = await open(folder);
  await handle.sync();
}
