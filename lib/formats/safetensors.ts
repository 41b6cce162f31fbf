import { readBinary, writePieces } from '../caffe/file.js';
import { FormatError, UsageError } from '../errors.js';
import { count, type Shape } from '../shape.js';
import type { Tensor, TensorData } from '../tensor.js';

/**
 * The format of Hugging Face's safetensors: eight bytes with the length of a header, the header in JSON, the tensors'
 * bytes, little-endian (https://github.com/huggingface/safetensors, section Format).
 */
export interface Safetensors {
  readonly tensors: Readonly<Record<string, Tensor<TensorData>>>;
  /** Free text by key. */
  readonly metadata: Readonly<Record<string, string>>;
}

const TYPES = { F32: Float32Array, F64: Float64Array, I32: Int32Array, U8: Uint8Array } as const;
type DType = keyof typeof TYPES;

/** What the format allows, so that a few bytes cannot claim all memory. */
const LONGEST_HEADER = 100_000_000;
const METADATA = '__metadata__';

interface Entry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  readonly start: number;
  readonly end: number;
}

/**
 * Reads a file, or the bytes of one.
 * @throws {FormatError} when it is cut short, or says what cannot be; element types are float32, float64, int32 and uint8
 */
export async function readSafetensors(source: string | Uint8Array): Promise<Safetensors> {
  const { bytes, where } = await readBinary(source);
  const { header, start } = readHeader(bytes, where);
  const { [METADATA]: metadata = {}, ...described } = header;
  const body = bytes.subarray(start);
  const entries = Object.entries(described).map(([name, value]) => readEntry(name, value, body.length, where));
  checkCover(entries, body.length, where);
  // A copy for each: elements need their own alignment.
  const tensors = entries.map(({ name, dtype, shape, start: from, end }) => {
    const own = new Uint8Array(end - from);
    own.set(body.subarray(from, end));
    return [name, { data: new TYPES[dtype](own.buffer), shape }] as const;
  });
  return { tensors: Object.fromEntries(tensors), metadata: readMetadata(metadata, where) };
}

/** Writes a file that appears under its name when it is complete and safe on the disk. @throws {UsageError} */
export async function writeSafetensors(path: string, content: Safetensors): Promise<void> {
  await writePieces(path, encodeSafetensors(content));
}

/** The pieces of a file: the header, then every tensor's own bytes, uncopied. */
export function encodeSafetensors({ tensors, metadata }: Safetensors): Uint8Array[] {
  let at = 0;
  const header: Record<string, unknown> = Object.keys(metadata).length > 0 ? { [METADATA]: metadata } : {};
  // Wider elements first, so that each lies where its type may be read in place.
  const sorted = Object.entries(tensors).sort(([, a], [, b]) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT);
  for (const [name, { data, shape }] of sorted) {
    const dtype = (Object.keys(TYPES) as DType[]).find((key) => data instanceof TYPES[key]);
    if (!dtype || name === METADATA || count(shape) !== data.length)
      throw new UsageError(`${name}: expected float32, float64, int32 or uint8 data that fit the shape`);
    header[name] = { dtype, shape, data_offsets: [at, (at += data.byteLength)] };
  }
  const text = Buffer.from(JSON.stringify(header));
  const padded = Buffer.alloc(8 + Math.ceil(text.length / 8) * 8, ' ');
  padded.writeBigUInt64LE(BigInt(padded.length - 8));
  text.copy(padded, 8);
  return [padded, ...sorted.map(([, { data }]) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength))];
}

function readHeader(bytes: Uint8Array, where: string): { header: Record<string, unknown>; start: number } {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const length = bytes.length < 8 ? NaN : Number(view.readBigUInt64LE(0));
  if (!(length <= Math.min(LONGEST_HEADER, bytes.length - 8)))
    throw new FormatError(`${where}: expected a safetensors file, got one whose header is not all there`);
  try {
    const header: unknown = JSON.parse(view.toString('utf8', 8, 8 + length));
    if (isRecord(header)) return { header, start: 8 + length };
  } catch {
    // Told below.
  }
  throw new FormatError(`${where}: expected a header in JSON`);
}

function readEntry(name: string, value: unknown, size: number, where: string): Entry {
  const { dtype, shape, data_offsets: offsets } = isRecord(value) ? value : {};
  if (!isType(dtype))
    throw new FormatError(`${where}: ${name}: expected ${Object.keys(TYPES).join(', ')}, got ${JSON.stringify(dtype)}`);
  if (!isWhole(shape) || !isWhole(offsets) || offsets.length !== 2)
    throw new FormatError(`${where}: ${name}: expected a shape and two offsets`);
  const [start, end] = offsets as [number, number];
  const bytes = count(shape) * TYPES[dtype].BYTES_PER_ELEMENT;
  if (end > size || end - start !== bytes)
    throw new FormatError(`${where}: ${name}: expected ${bytes} bytes within ${size}, got [${start}, ${end})`);
  return { name, dtype, shape, start, end };
}

/** The format allows neither holes nor overlaps. */
function checkCover(entries: readonly Entry[], size: number, where: string): void {
  let at = 0;
  for (const { name, start, end } of [...entries].sort((a, b) => a.start - b.start || a.end - b.end)) {
    if (start !== at) throw new FormatError(`${where}: ${name}: expected it to begin at byte ${at}, got ${start}`);
    at = end;
  }
  if (at !== size) throw new FormatError(`${where}: expected ${at} bytes of tensors, got ${size}`);
}

function readMetadata(value: unknown, where: string): Record<string, string> {
  if (isRecord(value) && Object.values(value).every((text) => typeof text === 'string'))
    return value as Record<string, string>;
  throw new FormatError(`${where}: expected metadata of texts`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isType(value: unknown): value is DType {
  return typeof value === 'string' && Object.hasOwn(TYPES, value);
}

function isWhole(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((v) => Number.isSafeInteger(v) && v >= 0);
}
