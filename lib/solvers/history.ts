import { GraphError } from '../errors.js';
import { dataOf, type Checked } from '../feed.js';
import type { Graph, Value } from '../graph.js';
import { check, count, format } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { isLearned, slotKey } from '../update.js';
import type { Solver } from './solver.js';
import type { SolverState } from './training.js';

/** Where the history of a graph's learned parameters lies, by parameter. */
export function historyKeys(graph: Graph, solver: Solver): Map<Value, readonly string[]> {
  const slots = Array.from({ length: solver.slots }, (_, slot) => slot);
  const learned = graph.parameters.filter(isLearned);
  return new Map(learned.map((value) => [value, slots.map((slot) => slotKey(value, slot))]));
}

/** Gives what was read from there its names. */
export function namedHistory(
  keys: ReadonlyMap<Value, readonly string[]>,
  tensors: readonly Tensor[],
): SolverState['history'] {
  let at = 0;
  return Object.fromEntries([...keys].map(([value, of]) => [value.name, tensors.slice(at, (at += of.length))]));
}

/**
 * Checks a history against the graph; what it says of frozen parameters is passed over.
 * @throws {GraphError} for parameters that are unknown or missing, or another solver's number of tensors
 * @throws {ShapeError}
 */
export function checkHistory(graph: Graph, solver: Solver, history: SolverState['history']): Map<string, Checked> {
  const parameters = new Set(graph.parameters.map((value) => value.name));
  const unknown = Object.keys(history).find((name) => !parameters.has(name));
  if (unknown !== undefined)
    throw new GraphError(`${graph.name}: expected the history of its parameters, got that of "${unknown}"`);
  const checked = new Map<string, Checked>();
  for (const [value, keys] of historyKeys(graph, solver)) {
    const tensors = Object.hasOwn(history, value.name) ? history[value.name]! : [];
    if (tensors.length !== keys.length) {
      throw new GraphError(
        `${value.name}: expected the ${keys.length} tensors of history that ${solver.name} keeps, got ${tensors.length}`,
      );
    }
    keys.forEach((key, slot) => {
      const { data, shape } = dataOf(`history of ${value.name}`, tensors[slot]!);
      check(
        data.length === count(value.shape),
        () => `history of ${value.name}: expected shape ${format(value.shape)}, got ${format(shape ?? [data.length])}`,
      );
      checked.set(key, { data, shape: value.shape });
    });
  }
  return checked;
}
