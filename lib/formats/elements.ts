import { endianness } from 'node:os';
import { FormatError, UsageError } from '../errors.js';
import { count, type Shape } from '../shape.js';
import type { Tensor, TensorData } from '../tensor.js';
import { minifloat, type Minifloat } from './minifloat.js';

/** Element types that files may have, by NumPy's names. */
export const ELEMENT_TYPES = [
  ...(['float64', 'float32', 'float16', 'bfloat16'] as const),
  ...(['float8_e4m3fn', 'float8_e5m2', 'float8_e4m3fnuz', 'float8_e5m2fnuz', 'float8_e8m0fnu'] as const),
  ...(['int64', 'int32', 'int16', 'int8', 'uint64', 'uint32', 'uint16', 'uint8'] as const),
  ...(['bool', 'complex64', 'complex128'] as const),
] as const;

/** An element type by NumPy's name. */
export type ElementType = (typeof ELEMENT_TYPES)[number];

/** What a file says of a tensor before its elements are read. */
export interface TensorInfo {
  readonly dtype: ElementType;
  readonly shape: Shape;
}

/** Elements as they stand in a file: little-endian, in C order. */
export interface RawTensor extends TensorInfo {
  readonly bytes: Uint8Array;
}

/** Bytes of one element. */
export const ELEMENT_BYTES: Readonly<Record<ElementType, number>> = {
  ...{ float64: 8, float32: 4, float16: 2, bfloat16: 2, complex64: 8, complex128: 16 },
  ...{ float8_e4m3fn: 1, float8_e5m2: 1, float8_e4m3fnuz: 1, float8_e5m2fnuz: 1, float8_e8m0fnu: 1 },
  ...{ int64: 8, int32: 4, int16: 2, int8: 1, uint64: 8, uint32: 4, uint16: 2, uint8: 1, bool: 1 },
};

/** Floats of one or two bytes; a table of all their values turns them into float32. */
const SMALL: Partial<Readonly<Record<ElementType, Minifloat>>> = {
  float16: { exponent: 5, mantissa: 10, bias: 15, special: 'ieee' },
  bfloat16: { exponent: 8, mantissa: 7, bias: 127, special: 'ieee' },
  float8_e4m3fn: { exponent: 4, mantissa: 3, bias: 7, special: 'top-nan' },
  float8_e5m2: { exponent: 5, mantissa: 2, bias: 15, special: 'ieee' },
  float8_e4m3fnuz: { exponent: 4, mantissa: 3, bias: 8, special: 'minus-zero-nan' },
  float8_e5m2fnuz: { exponent: 5, mantissa: 2, bias: 16, special: 'minus-zero-nan' },
  float8_e8m0fnu: { exponent: 8, mantissa: 0, bias: 127, special: 'power' },
};

/** Types whose elements lie in a typed array as they are. */
const PLAIN = {
  float64: Float64Array,
  float32: Float32Array,
  int32: Int32Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;

/** Whole numbers that become wider ones. */
const WHOLE = {
  int8: [Int8Array, Int32Array],
  int16: [Int16Array, Int32Array],
  uint16: [Uint16Array, Int32Array],
  uint32: [Uint32Array, Float64Array],
} as const;

/** Bytes that a tensor of this type and shape takes. */
export function byteLength({ dtype, shape }: TensorInfo): number {
  return count(shape) * ELEMENT_BYTES[dtype];
}

/**
 * The elements as numbers. float32, float64, int32, uint8 and bool (as uint8) are the file's own bytes, uncopied; smaller
 * floats become float32, smaller whole numbers int32, uint32 and 64-bit ones float64.
 * @param where Names the tensor in errors.
 * @throws {FormatError} for complex numbers, and for whole numbers beyond ±2^53
 */
export function toTensor(raw: RawTensor, where: string): Tensor<TensorData> {
  const { dtype, shape } = raw;
  return { data: numbersOf(dtype, nativeBytes(raw), where), shape };
}

function numbersOf(dtype: ElementType, bytes: Uint8Array, where: string): TensorData {
  if (isKey(PLAIN, dtype)) return view<TensorData>(PLAIN[dtype], bytes);
  if (isKey(WHOLE, dtype)) {
    const [From, To] = WHOLE[dtype];
    return To.from(view<ArrayLike<number>>(From, bytes));
  }
  const small = SMALL[dtype];
  if (small) {
    const table = minifloat(small);
    const codes = ELEMENT_BYTES[dtype] === 1 ? bytes : view(Uint16Array, bytes);
    return Float32Array.from(codes, (code) => table[code]!);
  }
  if (dtype === 'int64') return safeNumbers(view(BigInt64Array, bytes), where);
  if (dtype === 'uint64') return safeNumbers(view(BigUint64Array, bytes), where);
  throw new FormatError(`${where}: expected real numbers, got ${dtype}`);
}

function isKey<T extends object>(table: T, key: PropertyKey): key is keyof T {
  return Object.hasOwn(table, key);
}

/** A kind of typed array. */
export type View<T> = {
  new (buffer: ArrayBufferLike, offset: number, length: number): T;
  readonly BYTES_PER_ELEMENT: number;
};

/** Elements where the bytes lie, or of a copy where they lie askew. */
export function view<T>(Type: View<T>, bytes: Uint8Array): T {
  const size = Type.BYTES_PER_ELEMENT;
  const own = bytes.byteOffset % size === 0 ? bytes : Uint8Array.from(bytes);
  return new Type(own.buffer, own.byteOffset, own.byteLength / size);
}

function safeNumbers(values: BigInt64Array | BigUint64Array, where: string): Float64Array {
  const data = new Float64Array(values.length);
  for (let i = 0; i < data.length; i++) {
    data[i] = Number(values[i]!);
    if (!Number.isSafeInteger(data[i])) throw new FormatError(`${where}: element ${i} is beyond ±2^53: ${values[i]}`);
  }
  return data;
}

const OWN = new Map<unknown, ElementType>([
  [Float32Array, 'float32'],
  [Float64Array, 'float64'],
  [Int32Array, 'int32'],
  [Uint8Array, 'uint8'],
  [Buffer, 'uint8'],
]);

/** The same numbers as a file has them; on a little-endian machine their own bytes. @throws {UsageError} for other arrays */
export function fromTensor({ data, shape }: Tensor<TensorData>): RawTensor {
  const dtype = OWN.get(data.constructor);
  if (!dtype) throw new UsageError(`expected float32, float64, int32 or uint8 data, got ${data.constructor.name}`);
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { dtype, shape, bytes: nativeBytes({ dtype, shape, bytes }) };
}

/** Whether every value of the type is one of float32 too. */
export function fitsFloat32(dtype: ElementType): boolean {
  return dtype in SMALL || ['float32', 'int8', 'int16', 'uint8', 'uint16', 'bool'].includes(dtype);
}

/** File order to machine order and back. */
function nativeBytes({ dtype, bytes }: RawTensor): Uint8Array {
  return endianness() === 'LE' ? bytes : swapped(dtype, bytes);
}

/** A copy with the bytes of each number the other way round. */
export function swapped(dtype: ElementType, bytes: Uint8Array): Uint8Array {
  const size = dtype.startsWith('complex') ? ELEMENT_BYTES[dtype] / 2 : ELEMENT_BYTES[dtype];
  const copy = Buffer.from(bytes);
  if (size === 2) copy.swap16();
  if (size === 4) copy.swap32();
  if (size === 8) copy.swap64();
  return copy;
}
