import protobuf from 'protobufjs/light.js';
import { bytesOf, copySlowly, littleEndian, pause } from '../bytes.js';
import { FormatError, ShapeError } from '../errors.js';
import type { Piece } from '../file.js';
import { rawFields } from '../protobuf/records.js';
import { decodeMessage, encodeMessage } from '../protobuf/wire.js';
import { count, type Shape } from '../shape.js';
import { BlobProto, BlobShape } from './schema/blob.js';

/** A tensor of a file. */
export interface Blob {
  readonly shape: Shape;
  readonly data: Float32Array;
  /** Its gradient or second moment, where the file has one and it was asked for. */
  readonly diff?: Float32Array;
  /** Set when the file gives num, channels, height, width instead of a shape; `shape` is then these four. */
  readonly legacy?: boolean;
}

const MOST_ELEMENTS = 2 ** 31 - 1;
const MOST_AXES = 32;

/** Runs of numbers of one field: packed ones as they lie in the file, single ones each by itself. */
interface Run {
  readonly parts: Uint8Array[];
  readonly origin: number;
  bytes: number;
}

const { data, diff, double_data, double_diff } = BlobProto.fields;
const NUMBERS: Readonly<Record<number, 4 | 8>> = {
  [data.id]: 4,
  [diff.id]: 4,
  [double_data.id]: 8,
  [double_diff.id]: 8,
};

/**
 * Decodes a blob of 32-bit or 64-bit numbers. Large ones take several turns of the event loop.
 * @throws {FormatError} when its extents are negative, overflow, or do not fit its numbers
 */
export async function decodeBlob(piece: Piece, options: { readonly diffs?: boolean } = {}): Promise<Blob> {
  const runs = new Map<number, Run>();
  const rest: Uint8Array[] = [];
  let fields = 0;
  for (const field of rawFields(piece)) {
    if (++fields % 50_000 === 0) await pause();
    const size = NUMBERS[field.id];
    if (size === undefined) rest.push(field.whole);
    else if (field.value.length % size !== 0) {
      throw new FormatError(
        `${piece.where}: ${field.value.length} bytes at byte ${field.origin} are no ${size * 8}-bit numbers`,
      );
    } else {
      const run = runs.get(field.id) ?? { parts: [], origin: field.origin, bytes: 0 };
      runs.set(field.id, run);
      run.parts.push(field.value);
      run.bytes += field.value.length;
    }
  }
  const { shape, legacy } = shapeOf(piece, rest);
  const take = (single: { id: number }, double: { id: number }): Promise<Float32Array> | undefined => {
    const wide = runs.get(double.id);
    const run = wide ?? runs.get(single.id);
    return run && numbers(run, wide ? 8 : 4, shape, piece.where);
  };
  const values = await (take(data, double_data) ??
    numbers({ parts: [], origin: piece.origin, bytes: 0 }, 4, shape, piece.where));
  const gradient = options.diffs ? await take(diff, double_diff) : undefined;
  return { shape, data: values, ...(gradient && { diff: gradient }), ...(legacy && { legacy }) };
}

function shapeOf(piece: Piece, rest: readonly Uint8Array[]): { shape: Shape; legacy: boolean } {
  const size = rest.reduce((sum, part) => sum + part.length, 0);
  if (size > 4096) throw new FormatError(`${piece.where}: expected a shape, got ${size} bytes of it`);
  const proto = decodeMessage(BlobProto, Buffer.concat(rest), piece.where, piece.origin);
  const { num, channels, height, width } = proto;
  const legacy = [num, channels, height, width].some((extent) => extent !== undefined);
  const shape = legacy ? [num ?? 0, channels ?? 0, height ?? 0, width ?? 0] : (proto.shape?.dim ?? []);
  const product = count(shape);
  if (shape.length > MOST_AXES || shape.some((extent) => extent < 0) || product > MOST_ELEMENTS) {
    throw new FormatError(`${piece.where}: (${shape.slice(0, MOST_AXES).join(', ')}) is not the shape of a blob`);
  }
  return { shape, legacy };
}

async function numbers(run: Run, size: 4 | 8, shape: Shape, where: string): Promise<Float32Array> {
  const expected = count(shape);
  if (run.bytes !== expected * size) {
    const place = `(${shape.join(', ')})`;
    throw new FormatError(
      `${where}: shape ${place} needs ${expected} numbers, got ${run.bytes / size} at byte ${run.origin}`,
    );
  }
  const raw = new Uint8Array(run.bytes);
  let at = 0;
  for (const part of run.parts) {
    await copySlowly(part, raw, at);
    at += part.length;
  }
  littleEndian(raw, size);
  if (size === 4) return new Float32Array(raw.buffer);
  const wide = new Float64Array(raw.buffer);
  const narrow = new Float32Array(expected);
  const step = 1 << 18;
  for (let from = 0; from < expected; from += step) {
    narrow.set(wide.subarray(from, from + step), from);
    await pause();
  }
  return narrow;
}

/** Checks a blob before it is written. @throws {ShapeError} */
export function checkBlob(blob: Blob, what: string): void {
  const expected = count(blob.shape);
  if (blob.data.length !== expected || (blob.diff && blob.diff.length !== expected)) {
    const shape = `(${blob.shape.join(', ')})`;
    throw new ShapeError(`${what}: expected ${expected} numbers for shape ${shape}, got ${blob.data.length}`);
  }
  if (blob.legacy && blob.shape.length !== 4) {
    throw new ShapeError(`${what}: expected 4 extents for a legacy blob, got ${blob.shape.length}`);
  }
}

/** A blob in binary form, in pieces to be written one behind the other; numbers are not copied. */
export function encodeBlob(blob: Blob): Uint8Array[] {
  const [num, channels, height, width] = blob.shape;
  const extents = blob.legacy ? encodeMessage(BlobProto, { ...EMPTY, num, channels, height, width }) : new Uint8Array();
  const shape = blob.legacy ? new Uint8Array() : encodeShape(blob.shape);
  return [extents, ...run(data.id, blob.data), ...run(diff.id, blob.diff), shape];
}

const EMPTY = { data: [], diff: [], double_data: [], double_diff: [] };

function encodeShape(shape: Shape): Uint8Array {
  const body = encodeMessage(BlobShape, { dim: [...shape] });
  return protobuf.Writer.create()
    .uint32((BlobProto.fields.shape.id << 3) | 2)
    .bytes(body)
    .finish();
}

function run(id: number, values: Float32Array | undefined): Uint8Array[] {
  if (!values || values.length === 0) return [];
  const body = bytesOf(values);
  return [
    protobuf.Writer.create()
      .uint32((id << 3) | 2)
      .uint32(body.length)
      .finish(),
    body,
  ];
}
