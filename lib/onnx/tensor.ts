import { FormatError } from '../errors.js';
import { byteLength, type ElementType, type RawTensor, type TensorInfo } from '../formats/elements.js';
import type { OnnxTensor } from './schema.js';

/** TensorProto.DataType. */
const TYPES: Readonly<Record<number, ElementType>> = {
  ...{ 1: 'float32', 2: 'uint8', 3: 'int8', 4: 'uint16', 5: 'int16', 6: 'int32', 7: 'int64', 9: 'bool', 10: 'float16' },
  ...{ 11: 'float64', 12: 'uint32', 13: 'uint64', 14: 'complex64', 15: 'complex128', 16: 'bfloat16' },
  ...{ 17: 'float8_e4m3fn', 18: 'float8_e4m3fnuz', 19: 'float8_e5m2', 20: 'float8_e5m2fnuz', 24: 'float8_e8m0fnu' },
};
const CODES = new Map(Object.entries(TYPES).map(([code, dtype]) => [dtype, Number(code)]));

/** The number of an element type. */
export function codeOf(dtype: ElementType): number {
  return CODES.get(dtype)!;
}

/** Type and shape of a tensor. @throws {FormatError} for types without elements of whole bytes, and impossible shapes */
export function infoOf({ data_type: code = 0, dims, name = '' }: OnnxTensor, where: string): TensorInfo {
  const dtype = TYPES[code];
  if (!dtype) throw new FormatError(`${where}: tensor "${name}": element type ${code} is not supported`);
  const info = { dtype, shape: dims };
  if (dims.length > 64 || dims.some((extent) => extent < 0) || !Number.isSafeInteger(byteLength(info)))
    throw new FormatError(`${where}: tensor "${name}": (${dims.slice(0, 64).join(', ')}) is no shape`);
  return info;
}

/** The elements of a tensor: `raw` bytes where there are some, else the numbers that the message lists. @throws {FormatError} */
export function rawOf(tensor: OnnxTensor, where: string, raw = tensor.raw_data): RawTensor {
  const info = infoOf(tensor, where);
  const bytes = raw ?? listed(tensor, info.dtype);
  const expected = byteLength(info);
  if (bytes.length === expected) return { ...info, bytes };
  throw new FormatError(
    `${where}: expected ${expected} bytes for shape (${info.shape.join(', ')}), got ${bytes.length}`,
  );
}

type TypedArray = Float32Array | Float64Array | Int32Array | Int16Array | Uint8Array | Uint32Array | BigInt64Array;

/** Numbers that are written one by one: onnx.proto, TensorProto, says which list is whose. */
function listed(tensor: OnnxTensor, dtype: ElementType): Uint8Array {
  const values = valuesOf(tensor, dtype);
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function valuesOf(
  { float_data, double_data, int32_data, int64_data, uint64_data }: OnnxTensor,
  dtype: ElementType,
): TypedArray {
  switch (dtype) {
    case 'float32':
    case 'complex64':
      return Float32Array.from(float_data);
    case 'float64':
    case 'complex128':
      return Float64Array.from(double_data);
    case 'int64':
      return BigInt64Array.from(int64_data, BigInt);
    case 'uint64':
      return BigInt64Array.from(uint64_data, BigInt);
    case 'uint32':
      return Uint32Array.from(uint64_data);
    case 'int32':
      return Int32Array.from(int32_data);
    case 'int16':
    case 'uint16':
    case 'float16':
    case 'bfloat16':
      return Int16Array.from(int32_data);
    default:
      return Uint8Array.from(int32_data);
  }
}
