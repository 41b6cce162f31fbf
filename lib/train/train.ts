import { UsageError } from '../errors.js';
import { compile } from '../compile.js';
import type { Model } from '../model.js';
import { checkWhole } from '../solvers/numbers.js';
import { exploded } from './diverged.js';
import { evaluate } from './evaluate.js';
import { Feeder } from './feeder.js';
import { Inputs, type InputNames } from './inputs.js';
import { iterate, type Iteration, type Supplies } from './iterate.js';
import { Judge, measureOf } from './judge.js';
import { Keeper, type CheckpointOptions } from './keeper.js';
import { withProgress, type Progress } from './progress.js';
import type { Source } from './feeder.js';
import type { Evaluation, NotSaved, Saved, TrainStep } from './step.js';

/** When a net in training is evaluated, and on what. */
export interface EvaluationOptions {
  /** Pictures to evaluate on, opened for the phase `test`. */
  readonly loader: Source;
  /** A net that shares the trained one's weights (`compile(net, { weightsOf: model })`). Default: the trained net itself. */
  readonly model?: Model;
  /** Iterations between two. Default: an epoch of training. One more is made at the end. */
  readonly every?: number;
  /** Batches to look at. Default: all that the loader has. */
  readonly batches?: number;
  /** The metric that says which net is the best: an output of the net. Default: its first accuracy, or its first loss. */
  readonly metric?: string;
  /** Stops after so many evaluations of which none was better than the best before. Default: never. */
  readonly patience?: number;
}

/** The course of a training. */
export interface TrainOptions {
  /** Ends when the model has made so many updates, those before it was resumed included. Either this or `epochs`. */
  readonly iterations?: number;
  /** The same, told by how often all pictures are gone through. */
  readonly epochs?: number;
  /** Iterations whose losses are averaged in `averageLoss`: Caffe's `average_loss`. Default 1. */
  readonly averageLoss?: number;
  /** Inputs of the net that take pictures and labels. Default: found by their shapes. */
  readonly inputs?: InputNames;
  /** Evaluates now and then. Default: never. */
  readonly evaluation?: EvaluationOptions;
  /** Writes checkpoints. Default: none. */
  readonly checkpoint?: CheckpointOptions;
  /** Where a training goes on from: what `restoreTraining` gave. */
  readonly progress?: Progress;
  /** Iterations between two whose activations and gradients are measured, which takes time. Default: none are. */
  readonly statistics?: number;
  /** Stops when a loss is more than so many times the first one (or 1, where that is less). Default 10; `Infinity`: never. */
  readonly explodes?: number;
  /** Cancels at once; the step under way has not happened. */
  readonly signal?: AbortSignal;
  /** Ends in good order: the iteration under way is finished, a checkpoint is written, its step is the last one. */
  readonly stop?: AbortSignal;
}

/**
 * Trains a model that was compiled with a solver, one iteration for each step that is asked for:
 *
 *     await using loader = await openLoader(await imageFolder('photos', { resize: 256, crop: [227, 227] }), { batch: 64, phase: 'train' });
 *     for await (const step of train(model, loader, { epochs: 10 })) console.log(step.iteration, step.loss, step.imagesPerSecond);
 *
 * The next batch is fetched while a step runs. Loaders and models stay the caller's to dispose.
 *
 * @throws {UsageError | GraphError | ShapeError | FormatError} before the first iteration, for what does not fit together
 * @throws {FormatError} for a label that the net has no class for, before the step that it is in
 * @throws {DivergedError} when the loss is lost, naming the layer where that began
 */
export async function* train(
  model: Model,
  loader: Source,
  options: TrainOptions,
): AsyncGenerator<TrainStep, void, undefined> {
  await using course = await Course.begin(model, loader, options);
  using feeder = new Feeder(loader, options.signal);
  const supplies = { model, inputs: course.inputs, feeder, signal: options.signal };
  while (!course.over) yield await course.step(supplies);
}

/**
 * Checks all that `train` would check before its first iteration: for programs that have other things to do first.
 * @throws what `train` throws
 */
export async function checkTraining(model: Model, loader: Source, options: TrainOptions): Promise<void> {
  await using _ = await Course.begin(model, loader, options);
}

/** A training under way: what comes around its iterations. */
class Course implements AsyncDisposable {
  #progress: Progress;
  #stopped = false;

  private constructor(
    private readonly model: Model,
    private readonly loader: Source,
    private readonly options: TrainOptions,
    readonly inputs: Inputs,
    private readonly iterations: number,
    private readonly judge: Judge | undefined,
    private readonly keeper: Keeper | undefined,
    /** The net that is evaluated, and whether it is ours to dispose. */
    private readonly judged: { readonly model: Model; readonly own: boolean } | undefined,
  ) {
    this.#progress = options.progress ?? { position: { epoch: 0, place: 0 }, losses: [], stale: 0 };
  }

  /** Checks all that can be checked before the first iteration. */
  static async begin(model: Model, loader: Source, options: TrainOptions): Promise<Course> {
    const inputs = new Inputs(model, loader, options.inputs);
    const iterations = iterationsOf(model, loader, options);
    checkOptions(options);
    await inputs.checkKnown(loader);
    const { evaluation, checkpoint, progress } = options;
    const keeper = checkpoint && new Keeper(model, checkpoint);
    await keeper?.check();
    if (!evaluation) return new Course(model, loader, options, inputs, iterations, undefined, keeper, undefined);
    const { batch } = evaluation.loader.options;
    const judged = evaluation.model
      ? { model: evaluation.model, own: false }
      : { model: await compile(model.graph, { weightsOf: model, batch, threads: model.threads }), own: true };
    try {
      await new Inputs(judged.model, evaluation.loader, options.inputs).checkKnown(evaluation.loader);
      const measure = measureOf(judged.model.graph, evaluation.metric);
      const judge = measure && new Judge(measure, progress);
      return new Course(model, loader, options, inputs, iterations, judge, keeper, judged);
    } catch (error) {
      if (judged.own) judged.model.dispose();
      throw error;
    }
  }

  get over(): boolean {
    return this.#stopped || this.model.iteration >= this.iterations;
  }

  /** One iteration and what follows it. */
  async step(supplies: Supplies): Promise<TrainStep> {
    const { model, options } = this;
    const next = model.iteration + 1;
    const statistics = isDue(next, options.statistics);
    const { batch, ...iteration } = await iterate(supplies, { last: next >= this.iterations, statistics });
    const averageLoss = this.#note(iteration, batch.position);
    await this.#checkLoss(iteration, supplies.inputs.feed(batch));
    const { epoch, place } = batch.position;
    if (options.stop?.aborted) this.#stopped = true;
    const evaluation = await this.#evaluate();
    const checkpoint = await this.#save(evaluation);
    return {
      ...iteration,
      epoch: epoch + place / this.loader.pictures,
      averageLoss,
      ...(evaluation && { evaluation }),
      ...(checkpoint && { checkpoint }),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.judged?.own) await this.judged.model[Symbol.asyncDispose]();
  }

  /** Keeps what a checkpoint must know. @returns the average of the last losses */
  #note({ loss }: Pick<Iteration, 'loss'>, position: Progress['position']): number {
    const window = this.options.averageLoss ?? 1;
    const losses = [...this.#progress.losses, loss].slice(-window);
    this.#progress = { ...this.#progress, position, losses, firstLoss: this.#progress.firstLoss ?? loss };
    return losses.reduce((a, b) => a + b, 0) / losses.length;
  }

  async #checkLoss({ loss }: Pick<Iteration, 'loss'>, inputs: ReturnType<Inputs['feed']>): Promise<void> {
    const first = this.#progress.firstLoss ?? loss;
    if (loss > (this.options.explodes ?? 10) * Math.max(1, first))
      throw await exploded(this.model, inputs, loss, first);
  }

  async #evaluate(): Promise<Evaluation | undefined> {
    const { evaluation, inputs, signal, stop } = this.options;
    const { iteration } = this.model;
    const due = isDue(iteration, evaluation?.every ?? this.#epoch) || this.over;
    if (!evaluation || !this.judged || this.#stopped || !due) return undefined;
    const { loader, batches } = evaluation;
    const signals = [signal, stop].filter((each) => each !== undefined);
    const settings = {
      ...(inputs && { inputs }),
      ...(batches !== undefined && { batches }),
      ...(signals.length > 0 && { signal: AbortSignal.any(signals) }),
    };
    const found = await evaluate(this.judged.model, loader, settings).catch((error: unknown) => {
      if (!stop?.aborted || signal?.aborted) throw error;
      this.#stopped = true;
      return undefined;
    });
    if (!found || !this.judge) return found;
    const best = this.judge.add(iteration, found.metrics);
    this.#progress = { ...this.#progress, stale: this.judge.stale, ...(this.judge.best && { best: this.judge.best }) };
    if (this.judge.stale >= (evaluation.patience ?? Infinity)) this.#stopped = true;
    return { ...found, best };
  }

  async #save(evaluation: Evaluation | undefined): Promise<Saved | NotSaved | undefined> {
    const { keeper, options } = this;
    if (!keeper) return undefined;
    const notes = withProgress({}, this.#progress);
    const best = evaluation?.best && keeper.keepsBest ? await keeper.saveBest(notes) : undefined;
    const { every = this.#epoch, atEnd = true } = options.checkpoint ?? {};
    const due = isDue(this.model.iteration, every) || this.#stopped || (this.over && atEnd);
    const saved = due && keeper.due ? await keeper.save(notes) : undefined;
    const failed = [best, saved].find((each) => each && 'error' in each);
    if (failed) return failed;
    const paths = best && 'path' in best ? { best: best.path } : {};
    return (saved ?? best) && { ...(saved ?? best)!, ...paths };
  }

  /** Iterations of an epoch. */
  get #epoch(): number {
    return iterationsPerEpoch(this.model, this.loader);
  }
}

/** Iterations in which all pictures are gone through once: at least 1. */
export function iterationsPerEpoch(model: Pick<Model, 'solver'>, loader: Source): number {
  return Math.max(1, Math.ceil(loader.pictures / (loader.options.batch * (model.solver?.iterSize ?? 1))));
}

function iterationsOf(model: Model, loader: Source, { iterations, epochs }: TrainOptions): number {
  const { solver, graph } = model;
  if (!solver)
    throw new UsageError(
      `${graph.name}: expected a model compiled with a solver, such as { solver: sgd({ rate: 0.01 }) }`,
    );
  if ((iterations === undefined) === (epochs === undefined))
    throw new UsageError('train: expected either iterations or epochs');
  if (iterations !== undefined) {
    checkWhole('train', { iterations });
    return iterations;
  }
  if (!Number.isFinite(loader.pictures))
    throw new UsageError('train: expected iterations instead of epochs, for a loader that does not know its pictures');
  if (!(Number.isFinite(epochs) && epochs! > 0))
    throw new UsageError(`train: expected epochs to be a finite number above 0, got ${epochs}`);
  return Math.max(1, Math.ceil((epochs! * loader.pictures) / (loader.options.batch * solver.iterSize)));
}

function checkOptions({ averageLoss, statistics, explodes, evaluation, checkpoint }: TrainOptions): void {
  const counts = {
    averageLoss,
    statistics,
    'evaluation.every': evaluation?.every,
    'evaluation.batches': evaluation?.batches,
    'evaluation.patience': evaluation?.patience,
    'checkpoint.every': checkpoint?.every,
  };
  for (const [name, value] of Object.entries(counts))
    if (value !== undefined && value !== Infinity) checkWhole('train', { [name]: value });
  if (explodes !== undefined && !(explodes > 1))
    throw new UsageError(`train: expected explodes to be more than 1, got ${explodes}`);
}

function isDue(iteration: number, every: number | undefined): boolean {
  return every !== undefined && iteration % every === 0;
}
