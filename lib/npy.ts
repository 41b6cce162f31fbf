import { open } from 'node:fs/promises';
import { endianness } from 'node:os';
import { FormatError, UsageError } from './errors.js';
import { count, type Shape } from './shape.js';
import type { Tensor, TensorData } from './tensor.js';

/** Element types of a .npy file and what holds them. */
const TYPES = {
  f4: Float32Array,
  f8: Float64Array,
  i4: Int32Array,
  i8: Float64Array,
  u1: Uint8Array,
  b1: Uint8Array,
} as const;
type Code = keyof typeof TYPES;

const MAGIC = '\x93NUMPY';
const MAX_HEADER = 64 * 1024;
const MAX_AXES = 32;
const CODES = new Map<unknown, Code>([
  [Float32Array, 'f4'],
  [Float64Array, 'f8'],
  [Int32Array, 'i4'],
  [Uint8Array, 'u1'],
]);

interface Header {
  readonly code: Code;
  readonly swapped: boolean;
  readonly fortran: boolean;
  readonly shape: Shape;
  /** Where the elements begin. */
  readonly start: number;
}

/**
 * Decodes a NumPy array file: float32, float64, int32, int64 (as float64, refused beyond ±2^53), uint8 and bool (as
 * uint8), of either byte order; Fortran order is turned into C order.
 * @param name Name to show in errors.
 * @throws {FormatError} for anything else, and when the size does not fit the shape
 */
export function decodeNpy(bytes: Uint8Array, name = '.npy'): Tensor<TensorData> {
  const header = readHeader(bytes, name);
  const { code, shape } = header;
  const size = Number(code[1]);
  const expected = count(shape) * size;
  const body = bytes.subarray(header.start);
  if (body.length !== expected) {
    throw new FormatError(`${name}: expected ${expected} bytes for shape (${shape.join(', ')}), got ${body.length}`);
  }
  // A copy: elements need their own alignment, and the caller's buffer stays the caller's.
  const buffer = Buffer.alloc(body.length);
  buffer.set(body);
  const swapped = header.swapped !== (endianness() === 'BE');
  if (swapped && size === 4) buffer.swap32();
  if (swapped && size === 8) buffer.swap64();
  const data =
    code === 'i8' ? wholeNumbers(buffer, name) : new TYPES[code](buffer.buffer, buffer.byteOffset, count(shape));
  return { data: header.fortran ? toRowMajor(data, shape) : data, shape };
}

/** Encodes C-order, little-endian; every typed array but Float64Array of int64 files comes back as it was. */
export function encodeNpy(tensor: Tensor<TensorData>): Uint8Array {
  const { data, shape } = tensor;
  const code = CODES.get(data.constructor);
  if (!code)
    throw new UsageError(`encodeNpy: expected float32, float64, int32 or uint8 data, got ${data.constructor.name}`);
  if (count(shape) !== data.length) {
    throw new UsageError(
      `encodeNpy: expected ${count(shape)} elements for shape (${shape.join(', ')}), got ${data.length}`,
    );
  }
  const extents = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const descr = code === 'u1' ? '|u1' : `<${code}`;
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${extents}, }`;
  // Elements start at a multiple of 64, as NumPy writes them; the header ends with a line break.
  const length = Math.ceil((text.length + 11) / 64) * 64 - 10;
  const prefix = Buffer.alloc(10 + length, ' ');
  prefix.write(MAGIC, 'latin1');
  prefix.writeUInt16LE(1, 6);
  prefix.writeUInt16LE(length, 8);
  prefix.write(text, 10);
  prefix.write('\n', 9 + length);
  const body = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const file = Buffer.concat([prefix, body]);
  if (endianness() === 'BE' && data.BYTES_PER_ELEMENT > 1) {
    const part = file.subarray(prefix.length);
    if (data.BYTES_PER_ELEMENT === 4) part.swap32();
    else part.swap64();
  }
  return file;
}

/** Reads a .npy file. @throws {FormatError} as decodeNpy does, or when the file cannot be read */
export async function readNpy(path: string): Promise<Tensor<TensorData>> {
  let bytes: Uint8Array;
  try {
    await using file = await open(path);
    bytes = await file.readFile();
  } catch (cause) {
    throw new FormatError(`${path}: cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
  return decodeNpy(bytes, path);
}

/** Writes a .npy file, replacing one that is there. */
export async function writeNpy(path: string, tensor: Tensor<TensorData>): Promise<void> {
  const bytes = encodeNpy(tensor);
  await using file = await open(path, 'w');
  await file.writeFile(bytes);
}

function readHeader(bytes: Uint8Array, name: string): Header {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.length < 10 || file.toString('latin1', 0, 6) !== MAGIC) throw new FormatError(`${name}: not a .npy file`);
  const version = file[6]!;
  const wide = version > 1;
  if (version < 1 || version > 3 || (wide && file.length < 12)) {
    throw new FormatError(`${name}: expected .npy version 1, 2 or 3, got ${version}`);
  }
  const begin = wide ? 12 : 10;
  const length = wide ? file.readUInt32LE(8) : file.readUInt16LE(8);
  if (length > MAX_HEADER || begin + length > file.length) {
    throw new FormatError(`${name}: expected a header within the file, got one of ${length} bytes`);
  }
  return { ...parseHeader(file.toString('latin1', begin, begin + length), name), start: begin + length };
}

/** The header is a Python dictionary of three known keys. */
function parseHeader(text: string, name: string): Omit<Header, 'start'> {
  const descr = /'descr':\s*'([^']*)'/.exec(text)?.[1];
  const order = /'fortran_order':\s*(True|False)/.exec(text)?.[1];
  const extents = /'shape':\s*\(([\d, L]*)\)/.exec(text)?.[1];
  if (descr === undefined || order === undefined || extents === undefined) {
    throw new FormatError(
      `${name}: expected a header with descr, fortran_order and shape, got ${text.trim().slice(0, 100)}`,
    );
  }
  const code = descr.slice(1);
  if (!/^[<>|=]/.test(descr) || !isCode(code)) {
    throw new FormatError(`${name}: expected elements of float32, float64, int32, int64, uint8 or bool, got ${descr}`);
  }
  const shape = (extents.match(/\d+/g) ?? []).map(Number);
  if (shape.length > MAX_AXES || !Number.isSafeInteger(count(shape) * 8)) {
    throw new FormatError(`${name}: expected a shape that fits in memory, got (${extents.slice(0, 100)})`);
  }
  const big = descr.startsWith('>') || (descr.startsWith('=') && endianness() === 'BE');
  return { code, swapped: big, fortran: order === 'True', shape };
}

function isCode(code: string): code is Code {
  return Object.hasOwn(TYPES, code);
}

function wholeNumbers(buffer: Buffer, name: string): Float64Array {
  const wide = new BigInt64Array(buffer.buffer, buffer.byteOffset, buffer.length / 8);
  const data = new Float64Array(wide.length);
  for (let i = 0; i < wide.length; i++) {
    data[i] = Number(wide[i]!);
    if (!Number.isSafeInteger(data[i])) throw new FormatError(`${name}: element ${i} is beyond ±2^53: ${wide[i]}`);
  }
  return data;
}

/** The same elements with the last axis running fastest. */
function toRowMajor<D extends TensorData>(data: D, shape: Shape): D {
  const made = data.slice() as D;
  const index = shape.map(() => 0);
  const strides = shape.map((_, axis) => count(shape, 0, axis));
  for (let i = 0; i < made.length; i++) {
    made[i] = data[index.reduce((sum, at, axis) => sum + at * strides[axis]!, 0)]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (++index[axis]! < shape[axis]!) break;
      index[axis] = 0;
    }
  }
  return made;
}
