import { open } from 'node:fs/promises';
import { FormatError } from '../errors.js';

/** Bytes that are read piece by piece: an open file, or memory. Node maps no files, so pieces are read where they are wanted. */
export interface Ranged extends AsyncDisposable {
  /** Names it in errors. */
  readonly where: string;
  readonly size: number;
  /** The bytes in an array of their own. @throws {FormatError} when they are not all there */
  read(start: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** What one read call moves at most. */
const STEP = 1 << 26;

/** Opens a file, or wraps the bytes of one. @throws {FormatError} when it cannot be opened */
export async function openRanged(source: string | Uint8Array): Promise<Ranged> {
  return typeof source === 'string' ? openFile(source) : inMemory(source);
}

async function openFile(path: string): Promise<Ranged> {
  try {
    const file = await open(path);
    const { size } = await file.stat();
    const close = (): Promise<void> => file.close();
    return {
      where: path,
      size,
      close,
      [Symbol.asyncDispose]: close,
      async read(start, length) {
        checkRange(path, size, start, length);
        const bytes = Buffer.allocUnsafeSlow(length);
        for (let done = 0; done < length;) {
          const { bytesRead } = await file.read(bytes, done, Math.min(length - done, STEP), start + done);
          if (bytesRead === 0) throw new FormatError(`${path}: cut short at byte ${start + done} while it was read`);
          done += bytesRead;
        }
        return new Uint8Array(bytes.buffer, bytes.byteOffset, length);
      },
    };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError(`${path}: cannot be read: ${reason}`, { cause });
  }
}

function inMemory(bytes: Uint8Array): Ranged {
  const where = 'buffer';
  const close = (): Promise<void> => Promise.resolve();
  const read = async (start: number, length: number): Promise<Uint8Array> => {
    checkRange(where, bytes.length, start, length);
    // A copy: elements need their own alignment, and the caller's buffer stays the caller's.
    return Promise.resolve(Uint8Array.prototype.slice.call(bytes, start, start + length));
  };
  return { where, size: bytes.length, close, [Symbol.asyncDispose]: close, read };
}

function checkRange(where: string, size: number, start: number, length: number): void {
  if (start >= 0 && length >= 0 && start + length <= size) return;
  throw new FormatError(`${where}: expected ${length} bytes at byte ${start}, but the file ends at ${size}`);
}
