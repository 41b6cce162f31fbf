import type { Classifier, ClassifierOptions } from './classifier.js';

export type { Prediction } from './answers.js';
export type { Answer, Classifier, ClassifierOptions, ClassifyOptions, FeatureOptions } from './classifier.js';
export type { NetOptions } from './description.js';
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
