import { endianness } from 'node:os';
import { setImmediate } from 'node:timers/promises';

/** So many bytes are copied in well under a millisecond. */
const STEP = 2 * 1024 * 1024;

/** Lets the event loop turn. */
export function pause(): Promise<void> {
  return setImmediate();
}

/** Copies without holding up the event loop. */
export async function copySlowly(from: Uint8Array, to: Uint8Array, at: number): Promise<void> {
  for (let start = 0; start < from.length; start += STEP) {
    if (start > 0) await pause();
    to.set(from.subarray(start, start + STEP), at + start);
  }
}

/** Swaps the bytes of numbers in place where the machine is big-endian: files are little-endian. */
export function littleEndian(bytes: Uint8Array, size: 4 | 8): void {
  if (endianness() === 'LE') return;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (size === 4) buffer.swap32();
  else buffer.swap64();
}

/** The numbers as they stand in a file. */
export function bytesOf(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  if (endianness() === 'LE') return bytes;
  const swapped = Uint8Array.from(bytes);
  littleEndian(swapped, 4);
  return swapped;
}
