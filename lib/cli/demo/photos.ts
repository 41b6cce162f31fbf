import { fileURLToPath } from 'node:url';
import type { Image } from '../../images/index.js';
import type { Prediction } from '../../tasks/answers.js';
import { openClassifier } from '../../tasks/classifier.js';
import { trained } from '../../trained.js';
import type { ComputeOptions } from '../command.js';
import { findPictures } from '../pictures.js';

/** The net that looks at photographs: it comes with its weights. */
const NET = 'cifar10-full';

/** Those that come with Cortado: the same place as seen from the sources and from what is built of them. */
const OWN = fileURLToPath(new URL('../../../lib/trained/photographs', import.meta.url));

/** A photograph and what the net takes it for. */
export interface Seen {
  readonly name: string;
  readonly image: Image;
  /** The likeliest first. */
  readonly predictions: readonly Prediction[];
}

export interface Photos {
  readonly net: string;
  /** On CIFAR-10's test pictures, as the model card has it. */
  readonly accuracy: number;
  readonly classes: readonly string[];
  readonly seen: readonly Seen[];
}

/** Names what is on photographs, its own by default, with the weights that come with Cortado. */
export async function nameFrom(
  words: readonly string[] | undefined,
  { device, threads }: Pick<ComputeOptions, 'device' | 'threads'>,
): Promise<Photos> {
  const { accuracy, classes } = await trained(NET);
  const pictures = await findPictures(words ?? [OWN]);
  await using classify = await openClassifier(NET, { device, batch: 1, ...(threads !== undefined && { threads }) });
  const seen: Seen[] = [];
  for (const { name, decode } of pictures) {
    const image = await decode();
    seen.push({ name, image, predictions: await classify(image, { top: 3 }) });
  }
  return { net: NET, accuracy, classes, seen };
}
