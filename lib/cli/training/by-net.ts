import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { withRecipe } from '../../nets/saved.js';
import type { Held } from '../../recipes/held.js';
import { prepareTraining } from '../../recipes/training.js';
import { listCheckpoints } from '../../train/index.js';
import { BadUsage } from '../command.js';
import type { Job } from './job.js';
import type { TrainWords } from './words.js';

/** Checkpoints take time too. */
const LEAST_BETWEEN_CHECKPOINTS = 100;

/** A training without a solver file. `finetune`: with a new last layer on top of weights. */
export async function netJob(words: TrainWords, held: Held, finetune = false): Promise<Job> {
  const { data, testData, lr: rate } = words;
  const net = words.net!;
  if (data === undefined) throw new BadUsage('--data: expected a folder of pictures, a list or a database');
  const prefix = words.output ?? net.replace(/^.*[/\\]/, '').replace(/\.[^.]*$/, '');
  const snapshot = words.snapshot === true ? await newestOf(prefix) : words.snapshot;
  const weights = words.weights?.split(',');
  const subject = { net, data, testData, weights, snapshot, finetune };
  const { model, loader, options, recipe, perEpoch } = await prepareTraining(subject, { ...words, rate }, held);
  await mkdir(dirname(prefix), { recursive: true });
  const every = words.checkpointEvery ?? Math.max(perEpoch, LEAST_BETWEEN_CHECKPOINTS);
  return {
    model,
    loader,
    options: { ...options, checkpoint: { prefix, every, notes: withRecipe(recipe), keep: words.keep } },
    testFirst: false,
    display: words.display ?? Math.max(1, Math.ceil(options.iterations / 100)),
  };
}

async function newestOf(prefix: string): Promise<string | undefined> {
  const list = await listCheckpoints(prefix).catch(() => []);
  return list[0];
}
