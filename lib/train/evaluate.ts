import type { Graph, Value } from '../graph.js';
import type { Model } from '../model.js';
import { count } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { Feeder } from './feeder.js';
import { Inputs, type InputNames } from './inputs.js';
import type { Batch } from '../data/loader.js';
import type { Source } from './feeder.js';
import type { Evaluation } from './step.js';

/** What is evaluated, and how long. */
export interface EvaluateOptions {
  /** Inputs of the net that take pictures and labels. Default: found by their shapes. */
  readonly inputs?: InputNames;
  /** Batches to look at. Default: all that the loader has. */
  readonly batches?: number;
  /** Values to bring back besides the outputs, for `onBatch`. */
  readonly fetch?: readonly string[];
  /** Told of each batch and what the net made of it. */
  readonly onBatch?: (batch: Batch, values: Readonly<Record<string, Tensor>>) => void;
  /** Ends the evaluation. */
  readonly signal?: AbortSignal;
}

/**
 * Runs a net over the pictures of a loader and averages its results that are one number.
 * @throws {GraphError | ShapeError | UsageError | FormatError} for data that does not fit the net, before it runs
 */
export async function evaluate(model: Model, loader: Source, options: EvaluateOptions = {}): Promise<Evaluation> {
  const { batches = Infinity, fetch = [], onBatch, signal } = options;
  const inputs = new Inputs(model, loader, options.inputs);
  const outputs = scalars(model.graph);
  const wanted = [...outputs.map(([, value]) => value.name), ...fetch];
  const started = performance.now();
  const means = new Means(outputs);
  using feeder = new Feeder(loader, signal);
  for (let i = 0; i < batches; i++) {
    const taken = await feeder.take(i === batches - 1);
    if (!taken) break;
    const { batch } = taken;
    const values = await model.forward(inputs.feed(batch), { fetch: wanted, ...(signal && { signal }) });
    means.add(
      outputs.map(([, value]) => values[value.name]!),
      batch.size,
    );
    onBatch?.(batch, values);
  }
  return { metrics: means.get(), images: means.weight, milliseconds: performance.now() - started };
}

/** A net's outputs that are one number for the whole batch, losses and accuracies, by name. */
export function scalars(graph: Graph): [name: string, value: Value][] {
  const { shapes } = graph.at(Math.max(2, graph.batch));
  return Object.entries<Value>(graph.outputs).filter(([, value]) => count(shapes.get(value)!) === 1);
}

/** Means of named numbers, weighted. */
export class Means {
  readonly #sums: Float64Array;
  weight = 0;

  constructor(private readonly outputs: readonly (readonly [name: string, value: Value])[]) {
    this.#sums = new Float64Array(outputs.length);
  }

  /** One tensor for each output. */
  add(tensors: readonly Tensor[], weight: number): void {
    this.weight += weight;
    tensors.forEach(({ data }, i) => (this.#sums[i]! += weight * data[0]!));
  }

  get(): Record<string, number> {
    return Object.fromEntries(this.outputs.map(([name], i) => [name, this.#sums[i]! / this.weight]));
  }
}
