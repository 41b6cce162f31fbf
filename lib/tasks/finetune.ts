import { writeSafetensors } from '../formats/safetensors.js';
import { withRecipe } from '../nets/saved.js';
import type { Choices } from '../recipes/choices.js';
import { Held } from '../recipes/held.js';
import { prepareTraining, type Prepared } from '../recipes/training.js';
import type { Tensor } from '../tensor.js';
import { train } from '../train/index.js';
import { classifierOver, type Classifier, type ClassifierOptions } from './classifier.js';
import { ofTransform } from './description.js';

/** Where a finetuning stands. */
export interface FinetuneProgress {
  /** Updates so far, and in all. */
  readonly iteration: number;
  readonly iterations: number;
  /** Times that the pictures have been gone through. */
  readonly epoch: number;
  /** Mean of the last losses. */
  readonly loss: number;
  /** Outputs of the net on the pictures to evaluate on (`accuracy`, `loss`), at iterations that end with an evaluation. */
  readonly metrics: Readonly<Record<string, number>> | undefined;
}

/** How to finetune; all has defaults that learn. */
export interface FinetuneOptions extends Omit<Choices, 'statistics'>, Pick<ClassifierOptions, 'latency' | 'maxPixels'> {
  /** Files with what the net has learned, of any format. Default: those that come with Cortado, for the nets that have some. */
  readonly weights?: string | readonly string[];
  /** Pictures to evaluate on, like `data`. Default: the part of `data` that is called `test` or `val`, where there is one. */
  readonly testData?: string;
  /** Ends it: the promise is rejected with the signal's reason, and nothing stays open. */
  readonly signal?: AbortSignal;
  /** Told after each update. What it throws ends the training. */
  readonly onProgress?: (progress: FinetuneProgress) => void;
}

/** A classifier that has just learned. */
export interface FinetunedClassifier extends Classifier {
  /**
   * Writes a safetensors file with the weights, what net they are of, what it wants of its pictures and the names of its
   * classes: `loadClassifier(path)` and `cortado classify --weights` need no more.
   */
  save(path: string): Promise<void>;
  /** What the best evaluation found, whose weights these are; undefined without pictures to evaluate on. */
  readonly metrics: Readonly<Record<string, number>> | undefined;
}

/** Teaches a net other classes; see `finetune`. */
export async function finetuneClassifier(
  net: string,
  data: string,
  { weights, testData, signal, onProgress, latency, maxPixels, ...choices }: FinetuneOptions,
): Promise<FinetunedClassifier> {
  signal?.throwIfAborted();
  await using held = new Held();
  const files = typeof weights === 'string' ? [weights] : weights;
  const prepared = await prepareTraining({ net, data, testData, weights: files, finetune: true }, choices, held);
  const learned = await learn(prepared, signal, onProgress);
  const { graph, recipe } = prepared;
  const picture = ofTransform(recipe.transform);
  const described = { graph, weights: learned.weights, picture, labels: recipe.classes, embedding: undefined };
  const { device, threads } = choices;
  const classifier = await classifierOver(described, { device, threads, latency, maxPixels });
  const save = (path: string): Promise<void> =>
    writeSafetensors(path, { tensors: learned.weights, metadata: withRecipe(recipe) });
  return Object.assign(classifier, { save, metrics: learned.metrics });
}

interface Learned {
  readonly weights: Readonly<Record<string, Tensor>>;
  readonly metrics: FinetuneProgress['metrics'];
}

/** The weights of the best evaluation, or else the last ones. */
async function learn(
  { model, loader, options }: Prepared,
  signal: AbortSignal | undefined,
  onProgress: FinetuneOptions['onProgress'],
): Promise<Learned> {
  let best: Learned | undefined;
  const { iterations } = options;
  for await (const step of train(model, loader, { ...options, ...(signal && { signal }) })) {
    const { iteration, epoch, averageLoss: loss, evaluation } = step;
    if (evaluation?.best) best = { weights: await model.weights(), metrics: evaluation.metrics };
    onProgress?.({ iteration, iterations, epoch, loss, metrics: evaluation?.metrics });
  }
  return best ?? { weights: await model.weights(), metrics: undefined };
}
