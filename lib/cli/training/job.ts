import type { Loader } from '../../data/loader.js';
import { count } from '../../shape.js';
import type { Model } from '../../model.js';
import { checkTraining, evaluate, train, type TrainOptions, type TrainStep } from '../../train/index.js';
import { note } from '../command.js';
import { interruptible } from '../interrupt.js';
import { chooseView } from '../view/choose.js';
import { evaluationLine } from '../view/lines.js';
import type { Ending, View } from '../view/view.js';
import type { TrainWords } from './words.js';

/** A training, ready to begin. */
export interface Job {
  readonly model: Model;
  readonly loader: Loader;
  readonly options: TrainOptions & { readonly iterations: number };
  /** Evaluates before the first iteration, as Caffe does. */
  readonly testFirst: boolean;
  /** Iterations between two that are shown. */
  readonly display: number;
}

/** Runs a training in view of the user. Ctrl-C ends it with a checkpoint and exit code 1. */
export async function runJob(job: Job, words: Pick<TrainWords, 'json' | 'log'>): Promise<void> {
  const { model, loader, options } = job;
  const { log } = words;
  await checkTraining(model, loader, options);
  const view = await chooseView({ json: words.json ?? false, display: job.display, ...(log !== undefined && { log }) });
  const started = performance.now();
  view.begin({
    net: model.graph.name,
    parameters: model.graph.parameters.reduce((sum, { shape }) => sum + count(shape), 0),
    images: loader.pictures,
    batch: loader.options.batch * (model.solver?.iterSize ?? 1),
    iteration: model.iteration,
    iterations: options.iterations,
    device: model.device.name,
    threads: model.threads,
  });
  try {
    const { outcome, last, newest, best } = await interruptible((stop) => follow(job, view, stop));
    await view.end({
      outcome,
      iteration: model.iteration,
      seconds: (performance.now() - started) / 1000,
      averageLoss: last?.averageLoss,
      test: last?.evaluation?.metrics,
      files: [...new Set([newest, best])].filter((path) => path !== undefined),
    });
    if (outcome !== 'interrupted') return;
    note(newest === undefined ? 'nothing was saved' : `to go on: the same command with --snapshot ${newest}`);
    process.exitCode = 1;
  } catch (error) {
    await view.end();
    throw error;
  }
}

interface Followed {
  readonly outcome: Ending['outcome'];
  readonly last: TrainStep | undefined;
  /** Paths of checkpoints. */
  readonly newest: string | undefined;
  readonly best: string | undefined;
}

async function follow({ model, loader, options, testFirst }: Job, view: View, stop: AbortSignal): Promise<Followed> {
  const say = (): void => view.say('interrupted: this iteration is the last one; once more to leave at once');
  stop.addEventListener('abort', say, { once: true });
  const { evaluation } = options;
  if (testFirst && evaluation && model.iteration < options.iterations) {
    const { batches } = evaluation;
    const found = await evaluate(
      evaluation.model ?? model,
      evaluation.loader,
      batches === undefined ? {} : { batches },
    );
    view.say(`iteration ${model.iteration}  test  ${evaluationLine(found)}`);
  }
  let last: TrainStep | undefined;
  let [newest, best]: (string | undefined)[] = [];
  for await (const step of train(model, loader, { ...options, stop })) {
    last = step;
    view.step(step);
    const { checkpoint } = step;
    if (checkpoint && 'path' in checkpoint) [newest, best] = [checkpoint.path, checkpoint.best ?? best];
  }
  const outcome = stop.aborted ? 'interrupted' : model.iteration < options.iterations ? 'early' : 'done';
  return { outcome, last, newest, best };
}
