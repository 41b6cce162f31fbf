import { fileURLToPath } from 'node:url';
import type { Graph, Tensor } from '../../lib/index.js';
import { compile } from '../../lib/index.js';
import type { TensorData } from '../../lib/tensor.js';

/** A file that the original libraries wrote; see the make_….py beside this one. */
export function fixture(name: string): string {
  return fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
}

/** The numbers that make_exports.py calls pattern. */
export function pattern(...shape: number[]): Tensor {
  const count = shape.reduce((a, b) => a * b, 1);
  return { data: Float32Array.from({ length: count }, (_, i) => ((i * 7919) % 2003) / 1001 - 1), shape };
}

/** What a graph with these weights makes of its only input. */
export async function answer(
  graph: Graph,
  weights: Readonly<Record<string, Tensor<TensorData>>>,
  x: Tensor<TensorData>,
): Promise<Tensor> {
  await using model = await compile(graph, { batch: x.shape[0] ?? 1 });
  await model.load(weights);
  const outputs = await model.forward({ [Object.keys(graph.inputs)[0]!]: x });
  return Object.values(outputs)[0]!;
}
