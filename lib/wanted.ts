import { GraphError } from './errors.js';
import type { Graph, Value } from './graph.js';
import type { Tensor } from './tensor.js';

/** Values by their names. @throws {GraphError} */
export function named(graph: Graph, names: readonly string[]): [string, Value][] {
  return names.map((name) => [name, graph.value(name)]);
}

/** The values themselves and all that they are computed from, inputs and parameters included. */
export function ancestors(values: readonly Value[]): ReadonlySet<Value> {
  const seen = new Set<Value>();
  const visit = (value: Value): void => {
    if (seen.has(value)) return;
    seen.add(value);
    if (typeof value.source === 'object' && 'node' in value.source) value.source.node.inputs.forEach(visit);
  };
  values.forEach(visit);
  return seen;
}

/** Inputs that values depend on: every run asks. */
const known = new WeakMap<Value, readonly Value[]>();

function inputsOf(value: Value): readonly Value[] {
  let inputs = known.get(value);
  if (!inputs) known.set(value, (inputs = [...ancestors([value])].filter(({ source }) => source === 'input')));
  return inputs;
}

/** The first input that a value depends on and that was not given. */
function missing(value: Value, feeds: ReadonlyMap<Value, unknown>): string | undefined {
  return inputsOf(value).find((input) => !feeds.has(input))?.name;
}

/** The losses times their weights, added up; `results` begins with the losses. */
export function total(losses: readonly Value[], results: readonly Tensor[]): number {
  return losses.reduce((sum, value, i) => {
    const weight = typeof value.source === 'object' && 'node' in value.source ? value.source.node.lossWeight : 1;
    return sum + weight * results[i]!.data.reduce((a, b) => a + b, 0);
  }, 0);
}

/** The graph's outputs whose inputs are all given. */
export function reachable(graph: Graph, feeds: ReadonlyMap<Value, unknown>): [string, Value][] {
  return Object.entries<Value>(graph.outputs).filter(([, value]) => missing(value, feeds) === undefined);
}

/** The outputs by their names; reading one that was not computed raises an error that names the missing input. */
export function outputsOf<O extends string>(
  graph: Graph<string, O>,
  wanted: readonly [string, Value][],
  results: readonly Tensor[],
  feeds: ReadonlyMap<Value, unknown>,
): Readonly<Record<O, Tensor>> {
  const outputs = Object.fromEntries(wanted.map(([name], i) => [name, results[i]!]));
  for (const [name, value] of Object.entries<Value>(graph.outputs)) {
    if (name in outputs) continue;
    Object.defineProperty(outputs, name, {
      get: () => {
        const input = missing(value, feeds);
        throw new GraphError(
          `${graph.name}: output "${name}" was not computed${input ? `: input "${input}" was not given` : ''}`,
        );
      },
    });
  }
  return outputs as Record<O, Tensor>;
}

/** What a net answers with: its outputs, less losses and accuracies where there are others. */
export function results(graph: Graph): Value[] {
  const outputs = Object.values(graph.outputs);
  const judged = new Set(graph.losses);
  const answers = outputs.filter(
    (v) =>
      !judged.has(v) && !(typeof v.source === 'object' && 'node' in v.source && v.source.node.op.name === 'accuracy'),
  );
  return answers.length > 0 ? answers : outputs;
}
