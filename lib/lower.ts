import { GraphError } from './errors.js';
import { Forward } from './forward.js';
import { backward, type Requests } from './gradient.js';
import type { Graph, Value } from './graph.js';
import { ProgramBuilder, type Phase, type Program, type Ref } from './program.js';
import { emitUpdate, isLearned, type Update } from './update.js';

/** What one plan is to compute. */
export interface Goal {
  readonly batch: number;
  readonly phase: Phase;
  /** Values whose elements are wanted. */
  readonly fetch: readonly Value[];
  /** Values whose gradients are wanted. */
  readonly gradients: readonly Value[];
  /** Values whose gradient the caller gives; empty: backward starts from the losses. */
  readonly seeds: readonly Value[];
  /** What happens to every learned parameter after backward. */
  readonly update?: Update | undefined;
  /** Looks for NaN and infinity after every step. */
  readonly checkFinite?: boolean | undefined;
}

/** A lowered goal: the program, and where its answers are. */
export interface Lowered {
  readonly program: Program;
  readonly fetched: ReadonlyMap<Value, Ref>;
  readonly gradients: ReadonlyMap<Value, Ref>;
}

/** Turns a graph and a goal into a program: forward steps that are needed, their gradients, the update. Pure. */
export function lower(graph: Graph, goal: Goal): Lowered {
  const sized = graph.at(goal.batch);
  const builder = new ProgramBuilder();
  const learned = goal.update ? graph.parameters.filter(isLearned) : [];
  const wanted = [...new Set([...goal.gradients, ...learned])];
  const starts = wanted.length === 0 ? [] : goal.seeds.length > 0 ? goal.seeds : graph.losses;
  if (wanted.length > 0 && starts.length === 0) {
    throw new GraphError(`${graph.name}: expected a loss or given gradients to start backward from, got neither`);
  }
  const forward = new Forward(builder, sized, goal.phase);
  forward.run([...goal.fetch, ...starts]);
  const requests: Requests = { of: wanted, starts, given: goal.seeds.length > 0 };
  const gradients = wanted.length > 0 ? backward(forward, requests) : new Map<Value, Ref>();
  const guarded = goal.update ? graph.losses.map((loss) => forward.ref(loss)) : [];
  if (goal.update) {
    const own = new Map(learned.map((value) => [value, gradients.get(value)!]));
    guarded.push(...own.values());
    emitUpdate(builder, goal.update, own);
  }
  const fetched = new Map(goal.fetch.map((value) => [value, forward.ref(value)]));
  const asked = new Map(goal.gradients.map((value) => [value, gradients.get(value)!]));
  return { program: builder.finish([...fetched.values(), ...asked.values()], guarded), fetched, gradients: asked };
}
