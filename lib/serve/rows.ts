import { count } from '../shape.js';
import type { Tensor, TensorData } from '../tensor.js';

/** Numbers of every input, some rows of each. */
export interface Rows {
  readonly rows: number;
  readonly inputs: Readonly<Record<string, TensorData>>;
}

export type Tensors = Readonly<Record<string, Tensor>>;

/** Pieces of at most `limit` rows, without copies. */
export function split({ rows, inputs }: Rows, limit: number): Rows[] {
  return Array.from({ length: Math.ceil(rows / limit) }, (_, i) => {
    const [from, to] = [i * limit, Math.min(rows, (i + 1) * limit)];
    const piece = (data: TensorData): TensorData =>
      data.subarray((from * data.length) / rows, (to * data.length) / rows);
    return {
      rows: to - from,
      inputs: Object.fromEntries(Object.entries(inputs).map(([name, data]) => [name, piece(data)])),
    };
  });
}

/** The inputs of several requests, which are of the same names and types, behind each other. */
export function merged(items: readonly Rows[]): Rows['inputs'] {
  const [first] = items;
  if (items.length === 1) return first!.inputs;
  return Object.fromEntries(
    Object.keys(first!.inputs).map((name) => [name, behind(items.map((each) => each.inputs[name]!))]),
  );
}

function behind(parts: readonly TensorData[]): TensorData {
  const Type = parts[0]!.constructor as new (length: number) => TensorData;
  const made = new Type(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    made.set(part, at);
    at += part.length;
  }
  return made;
}

/** Rows of a tensor, without a copy. */
export function rowsOf({ data, shape }: Tensor, from: number, rows: number): Tensor {
  const size = count(shape, 1);
  return { data: data.subarray(from * size, (from + rows) * size), shape: [rows, ...shape.slice(1)] };
}

/** The reverse of split, for answers. */
export function joined(parts: readonly Tensors[]): Tensors {
  const [first] = parts;
  if (parts.length === 1) return first!;
  return Object.fromEntries(
    Object.entries(first!).map(([name, { shape }]) => {
      const tensors = parts.map((part) => part[name]!);
      const data = behind(tensors.map((tensor) => tensor.data)) as Float32Array;
      return [name, { data, shape: [data.length / count(shape, 1), ...shape.slice(1)] }];
    }),
  );
}
