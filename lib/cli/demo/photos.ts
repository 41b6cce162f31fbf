import { compile } from '../../compile.js';
import { preprocess, type Image } from '../../images/index.js';
import { trained } from '../../trained.js';
import { best, type Guess } from '../answers.js';
import type { ComputeOptions } from '../command.js';
import { findPictures } from '../pictures.js';

/** The net that looks at photographs: it comes with its weights. */
const NET = 'cifar10-full';

/** A photograph and what the net takes it for. */
export interface Seen {
  readonly name: string;
  readonly image: Image;
  /** The likeliest first. */
  readonly guesses: readonly Guess[];
}

export interface Photos {
  readonly net: string;
  /** On CIFAR-10's test pictures, as the model card has it. */
  readonly accuracy: number;
  readonly classes: readonly string[];
  readonly seen: readonly Seen[];
}

/** Names what is on photographs with the weights that come with Cortado. */
export async function nameFrom(
  words: readonly string[],
  { device, threads }: Pick<ComputeOptions, 'device' | 'threads'>,
): Promise<Photos> {
  const { graph, weights, mean, classes, accuracy } = await trained(NET);
  const pictures = words.length > 0 ? await findPictures(words) : [];
  await using model = await compile(graph, { device, batch: 1, ...(threads !== undefined && { threads }) });
  await model.load(weights);
  const seen: Seen[] = [];
  for (const { name, decode } of pictures) {
    const image = await decode();
    const data = await preprocess(image, { resize: [32, 32], mean });
    const { prob } = await model.forward({ data });
    seen.push({ name, image, guesses: best(prob!.data, true, 3, classes) });
  }
  return { net: NET, accuracy, classes, seen };
}
