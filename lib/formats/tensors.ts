import { FormatError, UsageError } from '../errors.js';
import { count } from '../shape.js';
import type { Tensor, TensorData } from '../tensor.js';
import { byteLength, fromTensor, toTensor, type RawTensor, type TensorInfo } from './elements.js';

/** Named tensors, read one at a time. */
export interface TensorSet {
  /** Names the set in errors: a path. */
  readonly where: string;
  /** Types and shapes by name, in the order of the file. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Free text by key, where the format has a place for it. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The elements of one tensor. @throws {FormatError} when they are damaged @throws {UsageError} for a name that is not there */
  read(name: string): Promise<RawTensor>;
}

/** An open file of tensors. */
export interface TensorFile extends TensorSet, AsyncDisposable {
  /** Closes the file; reads after it fail. */
  close(): Promise<void>;
}

/** Tensors by name, as numbers or as they stand in a file. */
export type Tensors = Readonly<Record<string, Tensor<TensorData> | RawTensor>>;

/** Tensors that are in memory, as a set. @throws {UsageError} when data do not fit their shape */
export function inMemory(tensors: Tensors, metadata: Readonly<Record<string, string>> = {}): TensorSet {
  const raw = new Map(Object.entries(tensors).map(([name, tensor]) => [name, checked(name, tensor)]));
  return {
    where: 'tensors',
    tensors: raw,
    metadata,
    read: async (name) => Promise.resolve(found(raw, name, 'tensors')),
  };
}

function checked(name: string, tensor: Tensor<TensorData> | RawTensor): RawTensor {
  const raw = 'bytes' in tensor ? tensor : fromTensor(tensor);
  if (byteLength(raw) === raw.bytes.length) return raw;
  throw new UsageError(
    `${name}: expected ${count(raw.shape)} elements for shape (${raw.shape.join(', ')}), got ${raw.bytes.length} bytes of ${raw.dtype}`,
  );
}

/** An entry by its name. @throws {UsageError} when it is not there */
export function found<T>(entries: ReadonlyMap<string, T>, name: string, where: string): T {
  const entry = entries.get(name);
  if (entry !== undefined) return entry;
  throw new UsageError(`${where}: expected one of ${entries.size} tensors, got "${name}"`);
}

/** All tensors of a set as numbers, by name. @throws {FormatError} for elements that are no numbers */
export async function readAll(set: TensorSet): Promise<Record<string, Tensor<TensorData>>> {
  const made: [string, Tensor<TensorData>][] = [];
  for (const name of set.tensors.keys()) {
    if (name === '__proto__') throw new FormatError(`${set.where}: expected another name than "${name}"`);
    made.push([name, toTensor(await set.read(name), `${set.where}: ${name}`)]);
  }
  return Object.fromEntries(made);
}
