import protobuf from 'protobufjs/light.js';
import { FormatError } from '../errors.js';
import type { Piece } from '../file.js';
import { broken } from './wire.js';

/** One field of a message, not yet decoded. */
export interface RawField {
  readonly id: number;
  /** Wire type: 0 variable, 1 eight bytes, 2 with a length, 5 four bytes. */
  readonly wire: number;
  /** The value without tag and length. */
  readonly value: Uint8Array;
  /** The field as it stands, tag included. */
  readonly whole: Uint8Array;
  /** Offset of the value in the file. */
  readonly origin: number;
}

/** The fields of a message, in the order of the file. @throws {FormatError} where the bytes stop making sense */
export function* rawFields(piece: Piece): Generator<RawField> {
  const { bytes, origin, where } = piece;
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const start = reader.pos;
    let tag = 0;
    let begin = 0;
    try {
      tag = reader.tag();
      begin = reader.pos;
      const length = (tag & 7) === 2 ? reader.size() : 0;
      if ((tag & 7) === 2) begin = reader.pos;
      if (tag >>> 3 === 0) throw new Error('a field of number 0');
      if ((tag & 7) === 2) reader.skip(length);
      else reader.skipType(tag & 7, 0, tag >>> 3);
    } catch (cause) {
      throw broken(where, origin + start, cause);
    }
    const value = bytes.subarray(begin, reader.pos);
    yield { id: tag >>> 3, wire: tag & 7, value, whole: bytes.subarray(start, reader.pos), origin: origin + begin };
  }
}

/** Messages that a message holds under some numbers, set apart from the rest of it. */
export interface Split {
  readonly parts: readonly (RawField & { readonly wire: 2 })[];
  /** What is left, a message of its own. */
  readonly rest: Uint8Array;
}

/** More parts or more settings than any net has: a file that would only fill the memory. */
const MOST_PARTS = 100_000;
const MOST_REST = 16 * 1024 * 1024;

/** Sets the fields of the given numbers apart without decoding or copying them. */
export function split(piece: Piece, ids: readonly number[]): Split {
  const parts: (RawField & { readonly wire: 2 })[] = [];
  const rest: Uint8Array[] = [];
  let size = 0;
  for (const field of rawFields(piece)) {
    if (field.wire === 2 && ids.includes(field.id)) parts.push({ ...field, wire: 2 });
    else {
      rest.push(field.whole);
      size += field.whole.length;
    }
    if (parts.length > MOST_PARTS) throw new FormatError(`${piece.where}: expected at most ${MOST_PARTS} parts`);
    if (size > MOST_REST) throw new FormatError(`${piece.where}: expected at most ${MOST_REST} bytes of settings`);
  }
  return { parts, rest: Buffer.concat(rest) };
}
