import { CortadoError } from './errors.js';
import { PACE, RANDOM, seedName } from './forward.js';
import type { Graph, Value } from './graph.js';
import { lower, type Goal, type Lowered } from './lower.js';
import type { NativeMemory, NativePlan } from './native.js';
import { optimize, placeInArena, type Layout, type Passes } from './passes/index.js';
import { rootOf, type Program, type Ref } from './program.js';
import { prepareSteps } from './segments.js';
import type { StateLayout } from './state.js';

/** A goal lowered, optimised and placed: all of a plan that needs no memory yet. */
export class Plan {
  readonly program: Program;
  readonly layout: Layout;
  readonly #lowered: Lowered;
  readonly #inputs = new Map<string, number>();
  #native: NativePlan | undefined;
  #arena: NativeMemory | undefined;
  #results: readonly number[] = [];

  constructor(
    graph: Graph,
    readonly goal: Goal,
    passes: Passes,
  ) {
    this.#lowered = lower(graph, goal);
    this.program = optimize(this.#lowered.program, passes, goal.checkFinite);
    this.layout = placeInArena(this.program);
    for (const { id, place } of this.program.refs) {
      const offset = this.layout.offsets.get(id);
      if (place.kind === 'input' && offset !== undefined && !this.program.views.has(id))
        this.#inputs.set(place.name, offset);
    }
  }

  /** Where an input is staged, or undefined when the plan has no use for it. */
  inputOffset(name: string): number | undefined {
    return this.#inputs.get(name);
  }

  get randomOffset(): number | undefined {
    return this.inputOffset(RANDOM.name);
  }

  get paceOffset(): number | undefined {
    return this.inputOffset(PACE.name);
  }

  seedOffset(value: Value): number | undefined {
    return this.inputOffset(seedName(value));
  }

  /** Result tensors in the order of `fetch` then `gradients` of the goal. */
  get results(): readonly Ref[] {
    const { fetched, gradients } = this.#lowered;
    return [...this.goal.fetch.map((v) => fetched.get(v)!), ...this.goal.gradients.map((v) => gradients.get(v)!)];
  }

  /** The plan prepared on this arena; again only when the arena has been replaced. @throws {CortadoError} */
  on(arena: NativeMemory, state: NativeMemory, stateLayout: StateLayout, threads: number): NativePlan {
    if (this.#native && this.#arena === arena) return this.#native;
    this.dispose();
    const used = usedRefs(this.program);
    const index = new Map(used.map((ref, i) => [ref.id, i]));
    const indexOf = (ref: Ref | undefined): number => (ref ? index.get(ref.id)! : -1);
    this.#arena = arena;
    const commit = this.program.steps.findIndex((step) => step.commits);
    const guards = this.program.checks.filter(({ at }) => at < commit).map(({ flag }) => indexOf(flag));
    this.#results = [...this.results, ...this.program.checks.map((c) => c.flag)].map(indexOf);
    return (this.#native = prepareSteps({
      memories: [arena, state],
      tensors: used.map((ref) => ({ ...this.#placeOf(ref, stateLayout), shape: ref.shape, dtype: ref.dtype })),
      steps: this.program.steps.map((step) => ({
        ...step,
        inputs: step.inputs.map(indexOf),
        outputs: step.outputs.map(indexOf),
      })),
      threads,
      ...(commit >= 0 && { commit, guards }),
    }));
  }

  /** Native tensor numbers of the results, then of the checks. */
  get resultIndices(): readonly number[] {
    return this.#results;
  }

  /** @throws {CortadoError} NOT_FINITE, naming the first step whose flag is raised */
  assertFinite(results: readonly Float32Array[]): void {
    const flags = results.slice(this.results.length);
    const bad = this.program.checks.find((_, i) => flags[i]![0] === 1);
    if (bad) throw new CortadoError('NOT_FINITE', `${bad.label}: expected finite numbers, got NaN or infinity`);
  }

  get scratchBytes(): number {
    return this.#native?.scratchBytes ?? 0;
  }

  dispose(): void {
    this.#native?.dispose();
    this.#native = undefined;
  }

  #placeOf(ref: Ref, state: StateLayout): { memory: number; offset: number } {
    const { place } = this.program.refs[rootOf(this.program.views, ref.id)]!;
    if (place.kind === 'state') return { memory: 1, offset: state.entries.get(place.key)!.offset };
    return { memory: 0, offset: this.layout.offsets.get(ref.id)! };
  }
}

/** Tensors that some step or result touches; passes leave others behind. */
function usedRefs(program: Program): Ref[] {
  const used = new Set(program.results);
  for (const step of program.steps) for (const ref of [...step.inputs, ...step.outputs]) if (ref) used.add(ref);
  return [...used];
}
