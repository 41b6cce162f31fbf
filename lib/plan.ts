import type { Device } from './device.js';
import { NotFiniteError } from './errors.js';
import { PACE, RANDOM, seedName } from './forward.js';
import type { Graph, Value } from './graph.js';
import { lower, type Goal } from './lower.js';
import { allocate, prepare, type NativeMemory, type NativePlan } from './native.js';
import { optimize, placeInArena, placeKept, type Layout, type Settings } from './passes/index.js';
import { rootOf, type Program, type Ref, type Step } from './program.js';
import { prepareSteps } from './segments.js';
import type { StateLayout } from './state.js';

/** How plans are made, and where they run. */
export interface PlanSettings extends Omit<Settings, 'target'> {
  readonly device: Device;
}

/** A goal lowered, optimised and placed: all of a plan that needs no memory yet. */
export class Plan {
  readonly program: Program;
  readonly layout: Layout;
  /** Result tensors in the order of `fetch` then `gradients` of the goal. */
  readonly results: readonly Ref[];
  readonly #inputs = new Map<string, number>();
  readonly #keptLayout: Layout;
  #native: NativePlan | undefined;
  #arena: NativeMemory | undefined;
  #prologue: NativePlan | undefined;
  #kept: NativeMemory | undefined;
  /** Which version of the parameters the kept tensors follow from. */
  #keptVersion = -1;
  #results: readonly number[] = [];
  readonly #changes: boolean;

  constructor(
    graph: Graph,
    readonly goal: Goal,
    readonly settings: PlanSettings,
  ) {
    const { passes, precision, device } = settings;
    const { program, fetched, gradients } = lower(graph, goal);
    this.results = [...goal.fetch.map((v) => fetched.get(v)!), ...goal.gradients.map((v) => gradients.get(v)!)];
    this.program = optimize(program, { passes, precision, target: device.target }, goal.checkFinite);
    const parameters = new Set(graph.parameters.map(({ name }) => name));
    this.#changes = this.program.steps.some(({ outputs }) =>
      outputs.some((ref) => ref?.place.kind === 'state' && parameters.has(ref.place.key)),
    );
    this.layout = placeInArena(this.program);
    this.#keptLayout = placeKept(this.program);
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

  /** The plan on this arena, if it is prepared. */
  on(arena: NativeMemory): NativePlan | undefined {
    return this.#arena === arena ? this.#native : undefined;
  }

  /** Prepares it on this arena. @throws {CortadoError} */
  async prepare(
    arena: NativeMemory,
    state: NativeMemory,
    stateLayout: StateLayout,
    threads: number,
  ): Promise<NativePlan> {
    this.dispose();
    this.#arena = arena;
    const { steps, prologue, checks, results } = this.program;
    // What it makes of the CPU's, the passes have.
    const precision = this.settings.device.native && { precision: this.settings.precision };
    if (prologue.length > 0) {
      this.#kept = allocate(this.#keptLayout.bytes, this.settings.device.native);
      this.#prologue = await prepare({
        ...this.#describe(prologue, [], arena, state, stateLayout).spec,
        threads,
        ...precision,
      });
    }
    const { spec, indexOf } = this.#describe(steps, results, arena, state, stateLayout);
    const commit = steps.findIndex((step) => step.commits);
    const guards = checks.filter(({ at }) => at < commit).map(({ flag }) => indexOf(flag));
    this.#results = [...this.results, ...checks.map((c) => c.flag)].map(indexOf);
    const ending = commit >= 0 && { commit, guards };
    return (this.#native = await prepareSteps({ ...spec, threads, ...precision, ...ending }));
  }

  /** What must run first when the parameters are of this version: nothing where nothing is kept, or what is kept is theirs. */
  outdated(version: number): NativePlan | undefined {
    return this.#keptVersion === version ? undefined : this.#prologue;
  }

  /** Says that the kept tensors follow from this version of the parameters. */
  refreshed(version: number): void {
    this.#keptVersion = version;
  }

  /** Whether a run changes parameters; what the plan keeps of them, it changes with them. */
  get changes(): boolean {
    return this.#changes;
  }

  #describe(
    steps: readonly Step[],
    results: readonly Ref[],
    arena: NativeMemory,
    state: NativeMemory,
    stateLayout: StateLayout,
  ) {
    const used = usedRefs(steps, results);
    const index = new Map(used.map((ref, i) => [ref.id, i]));
    const indexOf = (ref: Ref | undefined): number => (ref ? index.get(ref.id)! : -1);
    const spec = {
      memories: [arena, state, ...(this.#kept ? [this.#kept] : [])],
      tensors: used.map((ref) => {
        const { shape, dtype, channelsLast = false } = ref;
        return { ...this.#placeOf(ref, stateLayout), shape, dtype, channelsLast };
      }),
      steps: steps.map((step) => ({
        ...step,
        inputs: step.inputs.map(indexOf),
        outputs: step.outputs.map(indexOf),
      })),
    };
    return { spec, indexOf };
  }

  /** Native tensor numbers of the results, then of the checks. */
  get resultIndices(): readonly number[] {
    return this.#results;
  }

  /** @throws {NotFiniteError} naming the first step whose flag is raised */
  assertFinite(results: readonly Float32Array[]): void {
    const first = this.results.length;
    const bad = this.program.checks.find((_, i) => results[first + i]![0] === 1);
    if (bad) throw new NotFiniteError(bad.label);
  }

  /** Memory of kernels: scratch, and what is kept from run to run. */
  get scratchBytes(): number {
    return (this.#native?.scratchBytes ?? 0) + (this.#kept?.bytes ?? 0);
  }

  dispose(): void {
    this.#native?.dispose();
    this.#native = undefined;
    this.#prologue?.dispose();
    this.#prologue = undefined;
    this.#kept?.dispose();
    this.#kept = undefined;
    this.#keptVersion = -1;
  }

  #placeOf(ref: Ref, state: StateLayout): { memory: number; offset: number } {
    const { place } = this.program.refs[rootOf(this.program.views, ref.id)]!;
    if (place.kind === 'state') return { memory: 1, offset: state.entries.get(place.key)!.offset };
    if (place.kind === 'kept')
      return { memory: 2, offset: this.#keptLayout.offsets.get(rootOf(this.program.views, ref.id))! };
    return { memory: 0, offset: this.layout.offsets.get(ref.id)! };
  }
}

/** Tensors that some step or result touches; passes leave others behind. */
function usedRefs(steps: readonly Step[], results: readonly Ref[]): Ref[] {
  const used = new Set(results);
  for (const step of steps) for (const ref of [...step.inputs, ...step.outputs]) if (ref) used.add(ref);
  return [...used];
}
