import { FormatError } from '../errors.js';
import { toTensor } from '../formats/elements.js';
import { count, format, type Shape } from '../shape.js';
import type { Tensor, TensorData } from '../tensor.js';

/**
 * The bodies of inference requests and answers: JSON, and JSON followed by the bytes of tensors.
 * Open Inference Protocol, specification/protocol/inference_rest.md (github.com/kserve/open-inference-protocol), and its
 * extension for binary tensor data.
 */
export interface InferRequest {
  readonly id: string | undefined;
  readonly inputs: Readonly<Record<string, Tensor<TensorData>>>;
  /** Undefined: all. */
  readonly outputs: readonly WantedOutput[] | undefined;
  /** Whether outputs come as bytes unless they say otherwise. */
  readonly binary: boolean;
}

export interface WantedOutput {
  readonly name: string;
  readonly binary: boolean;
}

/** An answer's tensor and how it is to be sent. */
export interface SentOutput extends WantedOutput {
  readonly tensor: Tensor;
}

interface Kind {
  readonly array: new (buffer: ArrayBuffer) => ArrayLike<number | bigint> & ArrayBufferView;
  readonly bytes: number;
  /** Smallest and largest whole number; undefined: any number. */
  readonly range?: readonly [number, number];
  /** A float that JSON has no words for: it comes as bytes. */
  readonly small?: 'float16' | 'bfloat16';
}

const bits = (n: number): readonly [number, number] => [-(2 ** (n - 1)), 2 ** (n - 1) - 1];
const KINDS: Readonly<Record<string, Kind>> = {
  BOOL: { array: Uint8Array, bytes: 1, range: [0, 1] },
  UINT8: { array: Uint8Array, bytes: 1, range: [0, 2 ** 8 - 1] },
  UINT16: { array: Uint16Array, bytes: 2, range: [0, 2 ** 16 - 1] },
  UINT32: { array: Uint32Array, bytes: 4, range: [0, 2 ** 32 - 1] },
  UINT64: { array: BigUint64Array, bytes: 8, range: [0, Number.MAX_SAFE_INTEGER] },
  INT8: { array: Int8Array, bytes: 1, range: bits(8) },
  INT16: { array: Int16Array, bytes: 2, range: bits(16) },
  INT32: { array: Int32Array, bytes: 4, range: bits(32) },
  INT64: { array: BigInt64Array, bytes: 8, range: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER] },
  FP16: { array: Uint16Array, bytes: 2, small: 'float16' },
  BF16: { array: Uint16Array, bytes: 2, small: 'bfloat16' },
  FP32: { array: Float32Array, bytes: 4 },
  FP64: { array: Float64Array, bytes: 8 },
};

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads a request. `headerLength` is the length of its JSON where bytes follow it.
 * @throws {FormatError} that names the field
 */
export function parseInfer(body: Uint8Array, headerLength: number | undefined): InferRequest {
  const length = headerLength ?? body.length;
  if (!(Number.isSafeInteger(length) && length >= 0 && length <= body.length))
    throw new FormatError(
      `Inference-Header-Content-Length: expected a whole number up to the body's ${body.length} bytes, got ${length}`,
    );
  const request = fields('the body', json(body.subarray(0, length)));
  const reader = { body, at: length };
  const inputs = list('inputs', request.inputs).map((input, i) => readInput(`inputs[${i}]`, input, reader));
  if (reader.at !== body.length)
    throw new FormatError(`the body: expected ${reader.at} bytes as its tensors say, got ${body.length}`);
  const names = inputs.map(([name]) => name);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw new FormatError(`inputs: expected each input once, got "${twice}" twice`);
  if (request.id !== undefined && typeof request.id !== 'string') throw new FormatError('id: expected a string');
  const binary = flag('parameters', request.parameters, 'binary_data_output') ?? false;
  const outputs = request.outputs === undefined ? undefined : list('outputs', request.outputs);
  return {
    id: request.id,
    inputs: Object.fromEntries(inputs),
    outputs: outputs?.map((output, i) => {
      const { name, parameters } = fields(`outputs[${i}]`, output);
      const own = flag(`outputs[${i}].parameters`, parameters, 'binary_data');
      return { name: text(`outputs[${i}].name`, name), binary: own ?? binary };
    }),
    binary,
  };
}

function readInput(
  where: string,
  value: unknown,
  reader: { readonly body: Uint8Array; at: number },
): [string, Tensor<TensorData>] {
  const { name, shape, datatype, data, parameters } = fields(where, value);
  const type = text(`${where}.datatype`, datatype);
  const kind = Object.hasOwn(KINDS, type) ? KINDS[type]! : undefined;
  if (!kind)
    throw new FormatError(`${where}.datatype: expected one of ${Object.keys(KINDS).join(', ')}, got "${type}"`);
  const extents = shapeOf(`${where}.shape`, shape);
  const size = parameters === undefined ? undefined : fields(`${where}.parameters`, parameters).binary_data_size;
  if (size === undefined && kind.small)
    throw new FormatError(`${where}.datatype: expected ${type} as bytes, by binary_data_size, got JSON`);
  if (size === undefined)
    return [text(`${where}.name`, name), { data: fromJson(`${where}.data`, data, extents, kind), shape: extents }];
  if (data !== undefined) throw new FormatError(`${where}: expected data or binary_data_size, got both`);
  const bytes = kind.bytes * count(extents);
  const left = reader.body.length - reader.at;
  if (size !== bytes || bytes > left)
    throw new FormatError(
      `${where}: expected ${bytes} bytes for ${type} of ${format(extents)}, got a binary_data_size of ${JSON.stringify(size)} and ${left} bytes`,
    );
  const piece = reader.body.subarray(reader.at, reader.at + bytes);
  reader.at += bytes;
  return [text(`${where}.name`, name), { data: fromBytes(piece, kind), shape: extents }];
}

/** Numbers as the model takes them: in their own type where it can, else exactly as doubles. */
function fromBytes(piece: Uint8Array, kind: Kind): TensorData {
  // A copy starts where every type may: bytes of a body lie anywhere.
  const bytes = new Uint8Array(piece);
  if (kind.small) return toTensor({ dtype: kind.small, shape: [piece.length / 2], bytes }, 'inputs').data;
  const array = new kind.array(bytes.buffer);
  return isTensorData(array) ? array : Float64Array.from(array, Number);
}

function fromJson(where: string, data: unknown, shape: Shape, kind: Kind): TensorData {
  const size = count(shape);
  const made = kind.array === Float32Array ? new Float32Array(size) : new Float64Array(size);
  const [least, most] = kind.range ?? [-Infinity, Infinity];
  let at = 0;
  // Nested lists are numbers in row-major order, as flat ones are.
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) {
      value.forEach(visit);
      return;
    }
    const number = typeof value === 'boolean' && kind === KINDS.BOOL ? Number(value) : value;
    if (typeof number !== 'number' || number < least || number > most || (kind.range && !Number.isInteger(number)))
      throw new FormatError(`${where}: cannot hold ${JSON.stringify(value)}`);
    if (at < size) made[at] = number;
    at++;
  };
  visit(list(where, data));
  if (at !== size) throw new FormatError(`${where}: expected ${size} elements for ${format(shape)}, got ${at}`);
  return made;
}

function isTensorData(array: ArrayLike<unknown>): array is TensorData {
  return [Float32Array, Float64Array, Int32Array, Uint8Array].some((Type) => array instanceof Type);
}

/** Writes an answer. `headerLength` is undefined when it is JSON alone. */
export function formatInfer(
  model: { readonly name: string; readonly version: string },
  id: string | undefined,
  outputs: readonly SentOutput[],
): { readonly body: Buffer; readonly headerLength: number | undefined } {
  const described = outputs.map(({ name, binary, tensor: { data, shape } }) => ({
    ...{ name, shape, datatype: 'FP32' },
    ...(binary ? { parameters: { binary_data_size: data.byteLength } } : { data: Array.from(data, finite) }),
  }));
  const header = Buffer.from(
    JSON.stringify({
      model_name: model.name,
      model_version: model.version,
      ...(id !== undefined && { id }),
      outputs: described,
    }),
  );
  const pieces = outputs
    .filter(({ binary }) => binary)
    .map(({ tensor: { data } }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  if (pieces.length === 0) return { body: header, headerLength: undefined };
  return { body: Buffer.concat([header, ...pieces]), headerLength: header.length };
}

/** JSON has neither NaN nor infinity. */
function finite(value: number): number {
  if (Number.isFinite(value)) return value;
  throw new FormatError(`outputs: expected finite numbers for JSON, got ${value}; ask for binary_data`);
}

function json(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString());
  } catch (cause) {
    throw new FormatError(`the body: expected JSON: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

function fields(where: string, value: unknown): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new FormatError(`${where}: expected an object`);
}

function list(where: string, value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new FormatError(`${where}: expected a list`);
}

function text(where: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw new FormatError(`${where}: expected a string`);
}

function flag(where: string, parameters: unknown, name: string): boolean | undefined {
  const value = parameters === undefined ? undefined : fields(where, parameters)[name];
  if (value === undefined || typeof value === 'boolean') return value;
  throw new FormatError(`${where}.${name}: expected true or false`);
}

function shapeOf(where: string, value: unknown): Shape {
  const extents = list(where, value);
  if (
    extents.every((extent): extent is number => Number.isSafeInteger(extent) && Number(extent) >= 0) &&
    count(extents) <= 2 ** 33
  )
    return extents;
  throw new FormatError(`${where}: expected whole extents, got ${JSON.stringify(value)}`);
}
