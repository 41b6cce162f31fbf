import type { DeviceInputs } from './device-inputs.js';
import { DisposedError, GraphError } from './errors.js';
import { copyOf, stage, stageApart, type Checked, type Resident } from './feed.js';
import type { Graph, Value } from './graph.js';
import type { Goal } from './lower.js';
import {
  allocate,
  ended,
  prepare,
  rethrow,
  type NativeCopy,
  type NativeMemory,
  type NativePlan,
  type NativeResults,
} from './native.js';
import { sizeOf } from './passes/index.js';
import { Plan, type PlanSettings } from './plan.js';
import type { Solver } from './solvers/solver.js';
import { Training, type Advance, type Part, type SolverState } from './solvers/training.js';
import { checkShared, initialPlan, layOutState, readPlan, type StateLayout } from './state.js';
import type { Tensor } from './tensor.js';

export interface RuntimeOptions extends PlanSettings {
  readonly batch: number;
  readonly threads: number;
  readonly seed: number;
  readonly solver: Solver | undefined;
  /** Whose parameters these are; undefined: its own. */
  readonly owner: Runtime | undefined;
}

/** Bytes held by a model. */
export interface MemoryUsage {
  readonly parameters: number;
  /** The solver's history. */
  readonly history: number;
  /** Everything that one run needs: inputs, activations, gradients. */
  readonly work: number;
  /** Packing buffers of kernels, and filters kept in the order that they want. */
  readonly scratch: number;
  readonly total: number;
}

/**
 * Time of one kernel call of a run. Calls that a GPU makes in one launch, such as the updates of all parameters, are in the
 * time of the first of them.
 */
export interface StepTime {
  /** Layer and pass: `conv1`, `conv1.dgrad`. */
  readonly label: string;
  readonly kernel: string;
  readonly milliseconds: number;
  /** Of the tensors that it reads and writes. */
  readonly bytes: number;
}

/** What one run is given. */
export interface Call {
  readonly feeds: ReadonlyMap<Value, Checked | Resident>;
  /** Gradients to start backward from. */
  readonly seeds?: ReadonlyMap<Value, Checked>;
  readonly signal?: AbortSignal | undefined;
}

/** What one training run is given. */
export interface TrainingCall {
  readonly goal: (part: Part) => Goal;
  readonly call: Call;
  /** The loss of its results. */
  readonly loss: (results: readonly Tensor[]) => number;
}

/** What it gives. */
export interface TrainingRun {
  readonly results: readonly Tensor[];
  readonly advance: Advance;
  /** Of its kernels, where it was timed. */
  readonly times: readonly StepTime[];
}

/** How a native plan is run. Default: without copies, results and times. */
interface Finish {
  readonly outputs?: readonly number[];
  readonly profile?: boolean;
  readonly copies?: readonly NativeCopy[];
  readonly signal?: AbortSignal | undefined;
}

/** The memory, the plans and the queue behind a model. */
export class Runtime {
  /** Where the training stands; undefined without a solver. */
  readonly training: Training | undefined;
  readonly #state: StateLayout;
  readonly #stateMemory: NativeMemory;
  readonly #plans = new Map<string, Plan>();
  readonly #numbers: ReadonlyMap<Value, number>;
  #arena: NativeMemory | undefined;
  #tail: Promise<unknown> = Promise.resolve();
  #cancel: (() => void) | undefined;
  #runs = 0;
  /** Counts the changes of the parameters. */
  #version = 0;
  #disposed = false;

  constructor(
    readonly graph: Graph,
    readonly options: RuntimeOptions,
  ) {
    this.training = options.solver && new Training(options.solver);
    this.#numbers = new Map(graph.values.map((value, i) => [value, i]));
    const { owner, solver } = options;
    if (owner) owner.#live();
    if (owner) checkShared(graph, owner.#state);
    this.#state = owner ? owner.#state : layOutState(graph, solver);
    this.#stateMemory = owner ? owner.#stateMemory : allocate(this.#state.bytes, options.device.native);
  }

  /** The plan for a goal; planned once. @throws {DisposedError} or what lowering throws */
  plan(goal: Goal): Plan {
    this.#live();
    const ids = (values: readonly Value[]): string => values.map((v) => this.#numbers.get(v)!).join();
    const { batch, phase, update, checkFinite = false } = goal;
    const key = `${batch} ${phase} ${update?.part} ${checkFinite} ${ids(goal.fetch)} ${ids(goal.gradients)} ${ids(goal.seeds)}`;
    let plan = this.#plans.get(key);
    if (!plan) this.#plans.set(key, (plan = new Plan(this.graph, goal, this.options)));
    return plan;
  }

  /** Draws the parameters, but for these, which are given, and clears the solver's history. */
  initialize(given: readonly (readonly [Value, Checked])[]): Promise<void> {
    return this.#enqueue(async () => {
      const names = new Set(given.map(([value]) => value.name));
      const memory = allocate(256, this.options.device.native);
      try {
        memory.write(0, this.#randomState(), 0, 4);
        const plan = initialPlan(this.#state, this.#stateMemory, memory, this.options.threads);
        const native = await prepare({ ...plan, steps: plan.steps.filter(({ key }) => !names.has(key)) });
        this.#version++;
        await this.#finish(native);
        native.dispose();
        await this.#stageWeights(given);
        this.training?.restore({ iteration: 0, steps: 0 });
      } finally {
        memory.dispose();
      }
    });
  }

  /** Brings inputs to the device, whatever runs there meanwhile. */
  async upload(feeds: ReadonlyMap<Value, Checked>): Promise<DeviceInputs> {
    this.#live();
    return stageApart(this.options.device, feeds);
  }

  /** Stages the inputs, runs the plan and brings its results back. */
  run(plan: Plan, call: Call): Promise<Tensor[]> {
    return this.#enqueue(async () =>
      resultsOf(plan, await this.#runNow(plan, call, { results: true, profile: false })),
    );
  }

  /** One training run: the plan for what it is to its iteration, whose count it advances. Timed, it tells its times. */
  step(training: Training, step: TrainingCall, profile = false): Promise<TrainingRun> {
    return this.#enqueue(async () => {
      const plan = this.plan(step.goal(training.part));
      const native = await this.#runNow(plan, step.call, { results: true, profile });
      const results = resultsOf(plan, native);
      return { results, advance: training.advance(step.loss(results)), times: profile ? timesOf(plan, native) : [] };
    });
  }

  /** A run with every kernel timed, whose results stay where they are. */
  profile(plan: Plan, call: Call): Promise<readonly StepTime[]> {
    return this.#enqueue(async () => timesOf(plan, await this.#runNow(plan, call, { results: false, profile: true })));
  }

  /** Copies of entries of the state. */
  read(keys: readonly string[]): Promise<Tensor[]> {
    return this.#enqueue(() => this.#read(keys));
  }

  load(weights: readonly (readonly [Value, Checked])[]): Promise<void> {
    return this.#enqueue(async () => {
      this.#version++;
      await this.#stageWeights(weights);
    });
  }

  /** Copies of entries of the state, and where the training stands. */
  saveState(keys: readonly string[], training: Training): Promise<Omit<SolverState, 'history'> & { data: Tensor[] }> {
    return this.#enqueue(async () => {
      const saved = training.save();
      return { ...saved, runs: this.#runs, data: await this.#read(keys) };
    });
  }

  /** The reverse of it. */
  loadState(
    saved: Omit<SolverState, 'history'>,
    data: ReadonlyMap<string, Checked>,
    training: Training,
  ): Promise<void> {
    return this.#enqueue(async () => {
      training.restore(saved);
      this.#runs = saved.runs ?? this.#runs;
      this.#version++;
      for (const [key, tensor] of data) await stage(this.#stateMemory, this.#state.entries.get(key)!.offset, tensor);
    });
  }

  memoryUsage(): MemoryUsage {
    const own = !this.#disposed && !this.options.owner;
    const parameters = own ? this.#state.parameterBytes : 0;
    const history = own ? this.#state.bytes - parameters : 0;
    const work = this.#arena?.bytes ?? 0;
    const scratch = [...this.#plans.values()].reduce((sum, plan) => sum + plan.scratchBytes, 0);
    return { parameters, history, work, scratch, total: parameters + history + work + scratch };
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#cancel?.();
    for (const plan of this.#plans.values()) plan.dispose();
    this.#plans.clear();
    this.#arena?.dispose();
    this.#arena = undefined;
    if (!this.options.owner) this.#stateMemory.dispose();
  }

  /** Resolves when every queued call has come to its end. */
  async idle(): Promise<void> {
    await (this.options.owner ?? this).#tail.catch(() => undefined);
  }

  async #stageWeights(weights: readonly (readonly [Value, Checked])[]): Promise<void> {
    for (const [value, weight] of weights)
      await stage(this.#stateMemory, this.#state.entries.get(value.name)!.offset, weight);
  }

  async #read(keys: readonly string[]): Promise<Tensor[]> {
    const native = await prepare(readPlan(this.#state, this.#stateMemory, keys, this.options.threads));
    try {
      const { results } = await this.#finish(native, { outputs: [...keys.keys()] });
      return results.map((data, i) => ({ data, shape: this.#state.entries.get(keys[i]!)!.shape }));
    } finally {
      native.dispose();
    }
  }

  async #runNow(
    plan: Plan,
    { feeds, seeds, signal }: Call,
    { results: wanted, profile }: { readonly results: boolean; readonly profile: boolean },
  ): Promise<NativeResults> {
    signal?.throwIfAborted();
    const arena = this.#arenaOf(plan.layout.bytes);
    const native = plan.on(arena) ?? (await this.#prepared(plan, arena));
    this.#checkInputs(plan, feeds);
    for (const [offset, feed] of staged(plan, feeds, seeds)) {
      const later = stage(arena, offset, feed);
      if (later) await later;
    }
    this.#live();
    if (plan.randomOffset !== undefined) arena.write(plan.randomOffset, this.#randomState(), 0, 4);
    if (plan.paceOffset !== undefined) arena.write(plan.paceOffset, this.training!.pace(), 0, 3);
    signal?.throwIfAborted();
    this.#runs++;
    const owner = this.options.owner ?? this;
    const prologue = plan.outdated(owner.#version);
    if (prologue) {
      await this.#finish(prologue, { signal });
      plan.refreshed(owner.#version);
    }
    if (plan.changes) owner.#version++;
    const outputs = wanted ? plan.resultIndices : [];
    const results = await this.#finish(native, { outputs, profile, copies: copiesOf(feeds, plan, arena), signal });
    plan.refreshed(owner.#version);
    return results;
  }

  /** The plan on this arena. Other threads may make it for a while, in which the model may be disposed. */
  async #prepared(plan: Plan, arena: NativeMemory): Promise<NativePlan> {
    try {
      return await plan.prepare(arena, this.#stateMemory, this.#state, this.options.threads);
    } finally {
      if (this.#disposed) plan.dispose();
      this.#live();
    }
  }

  async #finish(
    native: NativePlan,
    { outputs = [], profile = false, copies = [], signal }: Finish = {},
  ): Promise<NativeResults> {
    const run = ended(rethrow(() => native.run(outputs, profile, copies)));
    const cancel = (): void => native.cancel();
    this.#cancel = cancel;
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      const results = await run;
      this.#live();
      if (results) return results;
      throw signal?.reason ?? new DisposedError(`${this.graph.name}: the run was cancelled`);
    } finally {
      signal?.removeEventListener('abort', cancel);
      this.#cancel = undefined;
    }
  }

  /** @throws {GraphError} for an input that the plan reads and that is not given */
  #checkInputs(plan: Plan, feeds: Call['feeds']): void {
    for (const [name, value] of Object.entries(this.graph.inputs))
      if (!feeds.has(value) && plan.inputOffset(name) !== undefined)
        throw new GraphError(`${this.graph.name}: expected input "${name}", which these results need`);
  }

  /** One arena serves every plan, since runs follow each other; it grows when a plan needs more. */
  #arenaOf(bytes: number): NativeMemory {
    if (this.#arena && this.#arena.bytes >= bytes) return this.#arena;
    for (const plan of this.#plans.values()) plan.dispose();
    this.#arena?.dispose();
    this.#arena = undefined;
    return (this.#arena = allocate(bytes, this.options.device.native));
  }

  #randomState(): Uint32Array {
    const { seed } = this.options;
    return Uint32Array.of(
      seed % 2 ** 32,
      Math.floor(seed / 2 ** 32),
      this.#runs % 2 ** 32,
      Math.floor(this.#runs / 2 ** 32),
    );
  }

  #live(): void {
    const { owner } = this.options;
    if (owner) owner.#live();
    if (this.#disposed) throw new DisposedError(`${this.graph.name}: expected a live model, got a disposed one`);
  }

  /** Runs that share parameters follow each other, whichever model they are of. */
  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const { owner } = this.options;
    if (owner) return owner.#enqueue(() => (this.#live(), work()));
    const result = this.#tail.then(() => {
      this.#live();
      return work();
    });
    this.#tail = result.catch(() => undefined);
    return result;
  }
}

/** @throws {CortadoError} for numbers that are not finite, where the plan looks for them */
function resultsOf(plan: Plan, { results }: NativeResults): Tensor[] {
  plan.assertFinite(results);
  return plan.results.map((ref, i) => ({ data: results[i]!, shape: ref.shape }));
}

function timesOf(plan: Plan, { milliseconds }: NativeResults): StepTime[] {
  return plan.program.steps.map((step, i) => ({
    label: step.label,
    kernel: step.kernel,
    milliseconds: milliseconds![i]!,
    bytes: [...step.inputs, ...step.outputs].reduce((sum, ref) => sum + (ref ? sizeOf(ref) : 0), 0),
  }));
}

/** What is copied to the arena before a run, and where to. */
function staged(plan: Plan, feeds: Call['feeds'], seeds: Call['seeds']): [number, Checked][] {
  const all: [number, Checked][] = [];
  const add = (offset: number | undefined, feed: Checked): void => {
    if (offset !== undefined) all.push([offset, feed]);
  };
  for (const [{ name }, feed] of feeds) if ('data' in feed) add(plan.inputOffset(name), feed);
  for (const [value, seed] of seeds ?? []) add(plan.seedOffset(value), seed);
  return all;
}

/** What brings inputs that lie on the device to their places in the arena. @throws {DisposedError} */
function copiesOf(feeds: Call['feeds'], plan: Plan, arena: NativeMemory): NativeCopy[] {
  return [...feeds].flatMap(([value, feed]) => {
    const offset = plan.inputOffset(value.name);
    return 'tensor' in feed && offset !== undefined ? copyOf(feed, arena, offset) : [];
  });
}
