import { FormatError, UsageError } from '../errors.js';
import { writePieces } from '../file.js';
import type { Shape } from '../shape.js';
import type { Tensor, TensorData } from '../tensor.js';
import { byteLength, ELEMENT_BYTES, type ElementType, type TensorInfo } from './elements.js';
import { openRanged, type Ranged } from './ranged.js';
import { found, inMemory, readAll, type TensorFile, type Tensors, type TensorSet } from './tensors.js';

/**
 * The format of Hugging Face's safetensors: eight bytes with the length of a header, the header in JSON, the tensors'
 * bytes, little-endian (https://github.com/huggingface/safetensors, section Format).
 */
export interface Safetensors {
  readonly tensors: Readonly<Record<string, Tensor<TensorData>>>;
  /** Free text by key. */
  readonly metadata: Readonly<Record<string, string>>;
}

const TYPES: Readonly<Record<string, ElementType>> = {
  ...{ F64: 'float64', F32: 'float32', F16: 'float16', BF16: 'bfloat16', C64: 'complex64', BOOL: 'bool' },
  ...{ F8_E4M3: 'float8_e4m3fn', F8_E5M2: 'float8_e5m2', F8_E8M0: 'float8_e8m0fnu' },
  ...{ F8_E4M3FNUZ: 'float8_e4m3fnuz', F8_E5M2FNUZ: 'float8_e5m2fnuz' },
  ...{ I64: 'int64', I32: 'int32', I16: 'int16', I8: 'int8', U64: 'uint64', U32: 'uint32', U16: 'uint16', U8: 'uint8' },
};
const NAMES = new Map(Object.entries(TYPES).map(([name, dtype]) => [dtype, name]));

/** What the format allows, so that a few bytes cannot claim all memory. */
const LONGEST_HEADER = 100_000_000;
const METADATA = '__metadata__';

interface Entry extends TensorInfo {
  readonly start: number;
  readonly end: number;
}

/**
 * Opens a file, or the bytes of one: its header is read and checked, each tensor when it is asked for, straight to where it stays.
 * @throws {FormatError} when it is cut short, or says what cannot be
 */
export async function openSafetensors(source: string | Uint8Array): Promise<TensorFile> {
  const file = await openRanged(source);
  try {
    const { header, start: body } = await readHeader(file);
    const { [METADATA]: metadata = {}, ...described } = header;
    const { where, size } = file;
    const entries = new Map(
      Object.entries(described).map(([name, value]) => [name, readEntry(name, value, size - body, where)]),
    );
    checkCover(entries, size - body, where);
    return {
      where,
      tensors: entries,
      metadata: readMetadata(metadata, where),
      async read(name) {
        const { dtype, shape, start, end } = found(entries, name, where);
        return { dtype, shape, bytes: await file.read(body + start, end - start) };
      },
      close: () => file.close(),
      [Symbol.asyncDispose]: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * Reads all of a file, or of the bytes of one, as numbers: half, bfloat16 and 8-bit floats become float32, small whole numbers
 * int32, the others float64.
 * @throws {FormatError} when it is cut short or says what cannot be, for complex numbers, and for integers beyond ±2^53
 */
export async function readSafetensors(source: string | Uint8Array): Promise<Safetensors> {
  await using file = await openSafetensors(source);
  return { tensors: await readAll(file), metadata: file.metadata };
}

/** Writes a file that appears under its name when it is complete and safe on the disk. @throws {UsageError} */
export async function writeSafetensors(
  path: string,
  content: TensorSet | { readonly tensors: Tensors; readonly metadata: Readonly<Record<string, string>> },
): Promise<void> {
  const set = 'read' in content ? content : inMemory(content.tensors, content.metadata);
  await writePieces(path, pieces(set));
}

/** The pieces of a file: the header, then every tensor's own bytes, read as they are written. */
async function* pieces(set: TensorSet): AsyncGenerator<Uint8Array> {
  // Wider elements first, so that each lies where its type may be read in place.
  const width = ({ dtype }: TensorInfo): number => ELEMENT_BYTES[dtype];
  const sorted = [...set.tensors].sort(([, a], [, b]) => width(b) - width(a));
  let at = 0;
  const header: Record<string, unknown> = Object.keys(set.metadata).length > 0 ? { [METADATA]: set.metadata } : {};
  for (const [name, info] of sorted) {
    const dtype = NAMES.get(info.dtype);
    if (!dtype || name === METADATA || name === '__proto__')
      throw new UsageError(`${name}: safetensors has no ${dtype ? 'tensor of that name' : info.dtype}`);
    header[name] = { dtype, shape: info.shape, data_offsets: [at, (at += byteLength(info))] };
  }
  const text = Buffer.from(JSON.stringify(header));
  const padded = Buffer.alloc(8 + Math.ceil(text.length / 8) * 8, ' ');
  padded.writeBigUInt64LE(BigInt(padded.length - 8));
  text.copy(padded, 8);
  yield padded;
  for (const [name] of sorted) yield (await set.read(name)).bytes;
}

async function readHeader(file: Ranged): Promise<{ header: Record<string, unknown>; start: number }> {
  const { where, size } = file;
  const length = size < 8 ? NaN : Number(Buffer.from(await file.read(0, 8)).readBigUInt64LE());
  if (!(length <= Math.min(LONGEST_HEADER, size - 8)))
    throw new FormatError(`${where}: expected a safetensors file, got one whose header is not all there`);
  try {
    const header: unknown = JSON.parse(Buffer.from(await file.read(8, length)).toString());
    if (isRecord(header)) return { header, start: 8 + length };
  } catch {
    // Told below.
  }
  throw new FormatError(`${where}: expected a header in JSON`);
}

function readEntry(name: string, value: unknown, size: number, where: string): Entry {
  const { dtype: type, shape, data_offsets: offsets } = isRecord(value) ? value : {};
  if (typeof type !== 'string' || !Object.hasOwn(TYPES, type))
    throw new FormatError(`${where}: ${name}: expected ${Object.keys(TYPES).join(', ')}, got ${JSON.stringify(type)}`);
  if (!isWhole(shape) || !isWhole(offsets) || offsets.length !== 2)
    throw new FormatError(`${where}: ${name}: expected a shape and two offsets`);
  const dtype = TYPES[type]!;
  const [start, end] = offsets as [number, number];
  const bytes = byteLength({ dtype, shape });
  if (end > size || end - start !== bytes)
    throw new FormatError(`${where}: ${name}: expected ${bytes} bytes within ${size}, got [${start}, ${end})`);
  return { dtype, shape, start, end };
}

/** The format allows neither holes nor overlaps. */
function checkCover(entries: ReadonlyMap<string, Entry>, size: number, where: string): void {
  let at = 0;
  for (const [name, { start, end }] of [...entries].sort(([, a], [, b]) => a.start - b.start || a.end - b.end)) {
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

function isWhole(value: unknown): value is Shape {
  return Array.isArray(value) && value.every((v) => Number.isSafeInteger(v) && v >= 0);
}
