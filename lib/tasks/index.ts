import type { Classifier, ClassifierOptions } from './classifier.js';
import type { FinetunedClassifier, FinetuneOptions } from './finetune.js';

export type { Prediction } from './answers.js';
export type { Answer, Classifier, ClassifierOptions, ClassifyOptions, FeatureOptions } from './classifier.js';
export type { NetOptions } from './description.js';
export type { FinetunedClassifier, FinetuneOptions, FinetuneProgress } from './finetune.js';
export type { PictureSource } from './source.js';

/**
 * A classifier of pictures: `const classify = await loadClassifier('cifar10-full')`, then `await classify('cat.jpg')`.
 *
 * @param source The name of a ready-made net (`cifar10-full` and `cifar10-quick` come with weights; others need `weights`),
 * or a path: a prototxt, a description in JSON (`model` and the fields of `NetOptions`, paths relative to the file), or a
 * folder with a description called `cortado.json`.
 * @throws {UsageError} for a name that is none, or a net without weights
 * @throws {FormatError | GraphError | ShapeError} for files that are not what they should be, or do not fit each other
 */
export async function loadClassifier(source: string, options: ClassifierOptions = {}): Promise<Classifier> {
  // Decoders and readers are loaded when called for: `import 'cortado'` stays small.
  const { openClassifier } = await import('./classifier.js');
  return openClassifier(source, options);
}

/**
 * Teaches a trained net other classes: a new last layer that learns ten times as fast as those below it, which start from
 * weights. Resolves to a classifier that `save(path)` writes and `loadClassifier(path)` opens again.
 *
 *     using classify = await finetune('cifar10-quick', 'photos', { epochs: 20 });
 *     await classify.save('photos.safetensors');
 *
 * @param net The name of a ready-made net, or the path of a prototxt file with a loss.
 * @param data Pictures to learn from: a folder with one of pictures for each class, or with `train` and `val` (or `test`) in
 * it; or a list or database, as `openDataset` takes them.
 * @throws {UsageError} for a net without weights, or choices that make no sense
 * @throws {FormatError | GraphError | ShapeError} for files that are not what they should be, or do not fit each other
 * @throws {DivergedError} when the loss is lost
 */
export async function finetune(net: string, data: string, options: FinetuneOptions = {}): Promise<FinetunedClassifier> {
  const { finetuneClassifier } = await import('./finetune.js');
  return finetuneClassifier(net, data, options);
}
