import { DeviceInputs } from './device-inputs.js';
import type { Device } from './device.js';
import { GraphError, UsageError } from './errors.js';
import { checkFeeds, dataOf, type Checked, type Feed, type Resident } from './feed.js';
import type { Graph, Value } from './graph.js';
import type { Phase } from './program.js';
import { Runtime, type MemoryUsage, type RuntimeOptions, type StepTime, type TrainingCall } from './runtime.js';
import { check, count, format } from './shape.js';
import { checkHistory, historyKeys, namedHistory } from './solvers/history.js';
import type { Solver } from './solvers/solver.js';
import type { SolverState, Training } from './solvers/training.js';
import type { Tensor } from './tensor.js';
import { named, outputsOf, reachable, total } from './wanted.js';

/** How one run is made. */
export interface RunOptions {
  /** Cancels between two kernels; the promise is then rejected with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Default: `test` for forward, `train` for backward and step. Only dropout and batchNorm care. */
  readonly phase?: Phase;
  /** Looks for NaN and infinity after every kernel and names the first layer that has some. Slower. Default false. */
  readonly checkFinite?: boolean;
  /** Values to bring back, by name, besides (forward: instead of) the graph's outputs. */
  readonly fetch?: readonly string[];
}

/** What is wanted of a run backward. */
export interface BackwardOptions extends RunOptions {
  /** Names of parameters, inputs or any other values whose gradients are wanted. */
  readonly of: readonly string[];
  /** Gradients of values to start from, by name, instead of the losses. */
  readonly from?: Readonly<Record<string, Feed>>;
}

/** Total of the losses times their weights; the graph's outputs; the gradients asked for, by name. */
export interface BackwardResult<O extends string> {
  readonly loss: number;
  /** Reading one that was not computed raises an error that names the missing input. */
  readonly outputs: Readonly<Record<O, Tensor>>;
  /** By the names in `of`, in the shapes of what they are gradients of. */
  readonly gradients: Readonly<Record<string, Tensor>>;
}

/** How one training step is made. */
export interface StepOptions extends RunOptions {
  /** Names of values whose gradients are to be brought back, as they are in this run: before clipping and penalties. */
  readonly of?: readonly string[];
}

/** What one timed run is: forward, backward, or a whole training step, with the solver's update. */
export type ProfileOptions =
  (RunOptions & Partial<BackwardOptions> & { readonly update?: false }) | (StepOptions & { readonly update: true });

export interface StepResult<O extends string> extends BackwardResult<O> {
  /** Total of the losses times their weights: with `iterSize`, the mean over the runs of the iteration so far. */
  readonly loss: number;
  /** Whether this run ended an iteration and updated the parameters: always, unless the solver has an `iterSize`. */
  readonly updated: boolean;
}

/**
 * A graph ready to run on a device. Runs are asynchronous, off the event loop, and queued in the order of the calls.
 * Inputs are copied when their run starts: leave their arrays alone until its promise is settled. What many runs are to
 * read, or the next one while this one computes, `upload` brings to the device first.
 * Make one with `compile`; release it with `dispose()` or `using`.
 */
export class Model<I extends string = string, O extends string = string> {
  readonly #runtime: Runtime;

  constructor(
    readonly graph: Graph<I, O>,
    { weightsOf, ...options }: Omit<RuntimeOptions, 'owner'> & { readonly weightsOf: Model | undefined },
  ) {
    this.#runtime = new Runtime(graph, { ...options, owner: weightsOf && weightsOf.#runtime });
  }

  /** Images that one run takes at most. */
  get batch(): number {
    return this.#runtime.options.batch;
  }

  /** Where it lives and runs. */
  get device(): Device {
    return this.#runtime.options.device;
  }

  /** CPU threads of a run. */
  get threads(): number {
    return this.#runtime.options.threads;
  }

  /** What it was compiled with. */
  get solver(): Solver | undefined {
    return this.#runtime.training?.solver;
  }

  /** The solver's rate at the next update; 0 without a solver. Setting it takes the place of the solver's policy. */
  get rate(): number {
    return this.#runtime.training?.rate ?? 0;
  }

  /** @throws {UsageError} without a solver, or for a rate that is negative or no number */
  set rate(rate: number) {
    this.#training().rate = rate;
  }

  /** Updates that the solver has made. */
  get iteration(): number {
    return this.#runtime.training?.iteration ?? 0;
  }

  /**
   * Fills the parameters from the seed, but for those of `weights`, and begins at iteration 0. `compile` has done it once.
   * @throws {UsageError} when they are another model's @throws {GraphError | ShapeError} as `load`
   */
  async initialize(weights: Readonly<Record<string, Feed>> = {}): Promise<void> {
    if (this.#runtime.options.owner)
      throw new UsageError(`${this.graph.name}: expected parameters of its own to initialize, got shared ones`);
    await this.#runtime.initialize(this.#checkWeights(weights));
  }

  /**
   * Brings inputs to the device once, for any number of runs: `step(inputs)`, `forward(inputs)`, … then find them there, of
   * this model and of every other on its device that takes inputs of these shapes. It waits for no run, nor does a run wait
   * for it: the next batch may come while one is computed with. Leave the arrays alone until the promise is settled.
   * @throws {ShapeError | GraphError | UsageError | DisposedError | OutOfMemoryError}
   */
  async upload<K extends I>(inputs: Readonly<Record<K, Feed>>): Promise<DeviceInputs<K>> {
    const { feeds } = this.#check(inputs);
    const numbers = new Map<Value, Checked>();
    for (const [value, feed] of feeds) {
      if ('tensor' in feed)
        throw new UsageError(`${value.name}: expected numbers to upload, got a tensor that is on the device already`);
      numbers.set(value, feed);
    }
    return this.#runtime.upload(numbers);
  }

  /**
   * Computes the outputs that the given inputs suffice for (or `fetch`). Reading an output that they do not suffice for
   * raises an error that names the missing input.
   * @throws {ShapeError | GraphError | DisposedError | OutOfMemoryError}
   */
  async forward<K extends I>(
    inputs: Readonly<Partial<Record<I, Feed>>> | DeviceInputs<K>,
    options: RunOptions = {},
  ): Promise<Readonly<Record<O, Tensor>>> {
    const { batch, feeds } = this.#check(inputs);
    const wanted = options.fetch ? named(this.graph, options.fetch) : reachable(this.graph, feeds);
    const plan = this.#runtime.plan({
      batch,
      phase: options.phase ?? 'test',
      fetch: wanted.map(([, v]) => v),
      gradients: [],
      seeds: [],
      checkFinite: options.checkFinite,
    });
    const results = await this.#runtime.run(plan, { feeds, signal: options.signal });
    return outputsOf(this.graph, wanted, results, feeds);
  }

  /**
   * Computes outputs, losses and the gradients of `of`; nothing else is computed.
   * @throws {ShapeError | GraphError | DisposedError | OutOfMemoryError}
   */
  async backward<K extends I>(
    inputs: Readonly<Partial<Record<I, Feed>>> | DeviceInputs<K>,
    options: BackwardOptions,
  ): Promise<BackwardResult<O>> {
    const { batch, feeds } = this.#check(inputs);
    const wanted = [...reachable(this.graph, feeds), ...named(this.graph, options.fetch ?? [])];
    const targets = named(this.graph, options.of);
    const losses = options.from ? [] : this.graph.losses;
    const seeds = this.#seeds(options.from ?? {}, batch);
    const goal = {
      batch,
      phase: options.phase ?? 'train',
      fetch: [...losses, ...wanted.map(([, v]) => v)],
      gradients: targets.map(([, v]) => v),
      seeds: [...seeds.keys()],
      checkFinite: options.checkFinite,
    };
    const results = await this.#runtime.run(this.#runtime.plan(goal), { feeds, seeds, signal: options.signal });
    const gradients = results.slice(losses.length + wanted.length);
    return {
      loss: total(losses, results),
      outputs: outputsOf(this.graph, wanted, results.slice(losses.length), feeds),
      gradients: Object.fromEntries(targets.map(([name], i) => [name, gradients[i]!])),
    };
  }

  /**
   * One training step, forward, backward and the solver's update, in one native call. The model must have been compiled
   * with a solver. A step that is cancelled has not happened.
   * @throws {UsageError | ShapeError | GraphError | DisposedError | OutOfMemoryError}
   */
  async step(inputs: Readonly<Record<I, Feed>> | DeviceInputs<I>, options: StepOptions = {}): Promise<StepResult<O>> {
    const { call, feeds, wanted, targets } = this.#step(inputs, options);
    const { results, advance } = await this.#runtime.step(this.#training(), call);
    const { length } = this.graph.losses;
    const gradients = results.slice(length + wanted.length);
    return {
      ...advance,
      outputs: outputsOf(this.graph, wanted, results.slice(length), feeds),
      gradients: Object.fromEntries(targets.map(([name], i) => [name, gradients[i]!])),
    };
  }

  /**
   * One run with every kernel timed: forward, with `of` backward, or with `update` a training step, which happens.
   * Results are computed but not brought back.
   * @throws as what it times
   */
  async profile<K extends I>(
    inputs: Readonly<Partial<Record<I, Feed>>> | DeviceInputs<K>,
    options: ProfileOptions = {},
  ): Promise<readonly StepTime[]> {
    if (options.update) {
      const { times } = await this.#runtime.step(this.#training(), this.#step(inputs, options).call, true);
      return times;
    }
    const { batch, feeds } = this.#check(inputs);
    const seeds = this.#seeds(options.from ?? {}, batch);
    const gradients = named(this.graph, options.of ?? []).map(([, v]) => v);
    const wanted = options.fetch ? named(this.graph, options.fetch) : reachable(this.graph, feeds);
    const backward = gradients.length > 0;
    const fetch =
      backward && !options.fetch
        ? [...seeds.keys(), ...(options.from ? [] : this.graph.losses)]
        : wanted.map(([, v]) => v);
    const plan = this.#runtime.plan({
      batch,
      phase: options.phase ?? (backward ? 'train' : 'test'),
      fetch,
      gradients,
      seeds: [...seeds.keys()],
    });
    return this.#runtime.profile(plan, { feeds, seeds, signal: options.signal });
  }

  /** Copies of the parameters, by name. */
  async weights(): Promise<Readonly<Record<string, Tensor>>> {
    const names = this.graph.parameters.map((value) => value.name);
    const tensors = await this.#runtime.read(names);
    return Object.fromEntries(names.map((name, i) => [name, tensors[i]!]));
  }

  /** Sets parameters by name; others stay as they are. @throws {GraphError | ShapeError} before anything is changed */
  async load(weights: Readonly<Record<string, Feed>>): Promise<void> {
    await this.#runtime.load(this.#checkWeights(weights));
  }

  /**
   * A copy of all that the solver remembers. With `weights()`, called in the same turn of the event loop, it makes a
   * checkpoint from which a training goes on to the same bits.
   * @throws {UsageError} without a solver, or between the runs of one iteration
   */
  async solverState(): Promise<SolverState> {
    const training = this.#training();
    const keys = historyKeys(this.graph, training.solver);
    const { data, ...saved } = await this.#runtime.saveState([...keys.values()].flat(), training);
    return { ...saved, history: namedHistory(keys, data) };
  }

  /** Goes on from a saved state. @throws {UsageError | GraphError | ShapeError} before anything is changed */
  async loadSolverState(state: SolverState): Promise<void> {
    const training = this.#training();
    const { history, ...saved } = state;
    await this.#runtime.loadState(saved, checkHistory(this.graph, training.solver, history), training);
  }

  /** Bytes that it holds now; plans are made when they are first needed. */
  memoryUsage(): MemoryUsage {
    return this.#runtime.memoryUsage();
  }

  /** Releases all memory. Runs on their way and later calls are rejected with a DisposedError. May be called twice. */
  dispose(): void {
    this.#runtime.dispose();
  }

  /** As `dispose()`: for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Disposes, and waits until the runs that this cancels have ended: for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.dispose();
    await this.#runtime.idle();
  }

  #checkWeights(weights: Readonly<Record<string, Feed>>): [Value, Checked][] {
    return Object.entries(weights).map(([name, feed]) => {
      const value = this.graph.value(name);
      if (!this.graph.parameters.includes(value))
        throw new GraphError(`${this.graph.name}: expected the name of a parameter, got "${name}"`);
      const { data, shape } = dataOf(name, feed);
      check(
        data.length === count(value.shape),
        () => `${name}: expected shape ${format(value.shape)}, got ${format(shape ?? [data.length])}`,
      );
      return [value, { data, shape: value.shape }];
    });
  }

  /** A training run of these inputs, and what it is to give besides the losses. */
  #step(inputs: Readonly<Partial<Record<I, Feed>>> | DeviceInputs, options: StepOptions) {
    const training = this.#training();
    const { batch, feeds } = this.#check(inputs);
    const { losses } = this.graph;
    const wanted = [...reachable(this.graph, feeds), ...named(this.graph, options.fetch ?? [])];
    const targets = named(this.graph, options.of ?? []);
    const call: TrainingCall = {
      goal: (part) => ({
        batch,
        phase: options.phase ?? 'train',
        fetch: [...losses, ...wanted.map(([, v]) => v)],
        gradients: targets.map(([, v]) => v),
        seeds: [],
        update: { solver: training.solver, part },
        checkFinite: options.checkFinite,
      }),
      call: { feeds, signal: options.signal },
      loss: (tensors) => total(losses, tensors),
    };
    return { call, feeds, wanted, targets };
  }

  #training(): Training {
    const { training } = this.#runtime;
    if (training) return training;
    throw new UsageError(
      `${this.graph.name}: expected a model compiled with a solver, such as { solver: sgd({ rate: 0.01 }) }`,
    );
  }

  #check(inputs: Readonly<Record<string, Feed | undefined>> | DeviceInputs): {
    batch: number;
    feeds: Map<Value, Checked | Resident>;
  } {
    const given = inputs instanceof DeviceInputs ? inputs.tensors : inputs;
    return checkFeeds(this.graph, given, this.batch, this.device);
  }

  #seeds(from: Readonly<Record<string, Feed>>, batch: number): Map<Value, Checked> {
    const given = Object.entries(from);
    if (given.length === 0) return new Map();
    const { shapes } = this.graph.at(batch);
    return new Map(
      given.map(([name, feed]) => {
        const value = this.graph.value(name);
        const { data } = dataOf(name, feed);
        const shape = shapes.get(value)!;
        check(
          data.length === count(shape),
          () => `gradient of ${name}: expected ${count(shape)} elements for shape ${format(shape)}, got ${data.length}`,
        );
        return [value, { data, shape }];
      }),
    );
  }
}
