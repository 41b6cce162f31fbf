import { GraphError } from './errors.js';
import { fillCall, type Filler } from './fillers.js';
import type { Graph, Value } from './graph.js';
import type { NativeMemory, NativePlanSpec } from './native.js';
import { roundUp } from './passes/index.js';
import { check, count, format, same, type Shape } from './shape.js';
import type { Solver } from './solvers/solver.js';
import { isLearned, slotKey, sumKey } from './update.js';

/** A tensor that outlives a run. */
export interface StateEntry {
  readonly offset: number;
  readonly shape: Shape;
  readonly filler: Filler;
}

/** What outlives a run: parameters, then the solver's history. */
export interface StateLayout {
  readonly entries: ReadonlyMap<string, StateEntry>;
  readonly parameterBytes: number;
  readonly bytes: number;
}

/**
 * Checks that every parameter of a graph has its place in another's state.
 * @throws {GraphError} for a parameter that the other lacks @throws {ShapeError}
 */
export function checkShared(graph: Graph, state: StateLayout): void {
  for (const { name, shape } of graph.parameters) {
    const entry = state.entries.get(name);
    if (!entry) throw new GraphError(`${graph.name}: expected a model with the parameter "${name}" to share it`);
    check(same(entry.shape, shape), () => `${name}: expected ${format(shape)} to share, got ${format(entry.shape)}`);
  }
}

const ZERO: Filler = { type: 'constant', value: 0 };

/** Gives every parameter a place, and every learned one its history; the sums of gradients where runs are added up. */
export function layOutState(graph: Graph, solver: Solver | undefined): StateLayout {
  const entries = new Map<string, StateEntry>();
  let bytes = 0;
  const place = (key: string, shape: Shape, filler: Filler): void => {
    entries.set(key, { offset: bytes, shape, filler });
    bytes += roundUp(4 * count(shape));
  };
  for (const value of graph.parameters) place(value.name, value.shape, fillerOf(value));
  const parameterBytes = bytes;
  for (const value of solver ? graph.parameters.filter(isLearned) : []) {
    for (let i = 0; i < solver!.slots; i++) place(slotKey(value, i), value.shape, ZERO);
    if (solver!.iterSize > 1) place(sumKey(value), value.shape, ZERO);
  }
  return { entries, parameterBytes, bytes };
}

function fillerOf({ source }: Value): Filler {
  return typeof source === 'object' && 'parameter' in source ? source.parameter.filler : ZERO;
}

/** A plan each of whose steps fills an entry of the state. */
interface InitialPlan extends NativePlanSpec {
  readonly steps: readonly (NativePlanSpec['steps'][number] & { readonly key: string })[];
}

/** A plan that draws the parameters and clears the rest, a step for each entry; `random` holds the random state at 0. */
export function initialPlan(
  { entries }: StateLayout,
  state: NativeMemory,
  random: NativeMemory,
  threads: number,
): InitialPlan {
  const tensors = [...entries.values()].map((entry) => place(entry, 1));
  return {
    memories: [random, state],
    tensors: [{ memory: 0, offset: 0, shape: [4], dtype: 'i32' }, ...tensors],
    steps: [...entries].map(([key, { shape, filler }], i) => {
      const { kernel, attributes, random: drawn } = fillCall(filler, shape, i);
      return { key, kernel, label: `${key}.fill`, inputs: drawn ? [0] : [], outputs: [i + 1], attributes };
    }),
    threads,
  };
}

/** A plan without steps, whose results are these entries. */
export function readPlan(
  { entries }: StateLayout,
  state: NativeMemory,
  keys: readonly string[],
  threads: number,
): NativePlanSpec {
  const tensors = keys.map((key) => place(entries.get(key)!, 0));
  return { memories: [state], tensors, steps: [], threads };
}

function place({ offset, shape }: StateEntry, memory: number): NativePlanSpec['tensors'][number] {
  return { memory, offset, shape, dtype: 'f32' };
}
