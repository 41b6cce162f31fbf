import { FormatError } from '../errors.js';
import type { Ranged } from '../formats/ranged.js';

/** One field of a message in a file, by its place. */
export interface Place {
  readonly id: number;
  /** First byte with the tag, and of the value alone. */
  readonly whole: number;
  readonly start: number;
  /** One past the last byte. */
  readonly end: number;
}

/** Bytes read at a time to look for fields; a value that is longer is stepped over. */
const WINDOW = 1 << 16;
/** A tag and a length take at most ten bytes each. */
const HEAD = 20;

/** The fields of the message in [start, end) of a file, without reading their values. @throws {FormatError} naming the byte */
export async function* placesIn(file: Ranged, start: number, end: number): AsyncGenerator<Place> {
  let window = new Uint8Array();
  let from = start;
  for (let at = start; at < end;) {
    if (at < from || at + HEAD > from + window.length) {
      from = at;
      window = Uint8Array.from(await file.read(at, Math.min(WINDOW, end - at)));
    }
    const cursor = { bytes: window, at: at - from };
    const tag = varint(cursor, file.where, from);
    const size = sizeOf(cursor, Number(tag & 7n), file.where, from);
    const value = from + cursor.at;
    const place = { id: Number(tag >> 3n), whole: at, start: value, end: value + size };
    if (place.id === 0 || !(place.end <= end)) throw broken(file.where, at);
    yield place;
    at = place.end;
  }
}

interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
}

function varint(cursor: Cursor, where: string, origin: number): bigint {
  let value = 0n;
  const start = cursor.at;
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = cursor.bytes[cursor.at++];
    if (byte === undefined) break;
    value |= BigInt(byte & 127) << shift;
    if (byte < 128) return value;
  }
  throw broken(where, origin + start);
}

/** Bytes of the value behind a tag; the cursor moves to the value. */
function sizeOf(cursor: Cursor, wire: number, where: string, origin: number): number {
  if (wire === 2) return Number(varint(cursor, where, origin));
  if (wire === 1) return 8;
  if (wire === 5) return 4;
  const start = cursor.at;
  if (wire !== 0) throw broken(where, origin + start);
  varint(cursor, where, origin);
  const size = cursor.at - start;
  cursor.at = start;
  return size;
}

function broken(where: string, at: number): FormatError {
  return new FormatError(`${where}: expected an ONNX model, broken or cut off at byte ${at}`);
}
