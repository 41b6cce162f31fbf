import type { Command } from 'commander';
import { computing } from './command.js';
import { netJob } from './training/by-net.js';
import { Held } from '../recipes/held.js';
import { runJob } from './training/job.js';
import { addCourse, addRecipe, type TrainWords } from './training/words.js';

/** `cortado finetune`: a trained net learns other classes. */
export function register(command: Command): void {
  computing(command)
    .requiredOption('--net <net>', 'a ready-made model such as caffenet, or a prototxt file with a loss')
    .option('--weights <files>', 'what it has learned: .caffemodel or .safetensors (default: those that Cortado has)');
  addRecipe(addCourse(command)).action(finetuneCommand);
}

async function finetuneCommand(words: TrainWords): Promise<void> {
  await using held = new Held();
  await runJob(await netJob(words, held, true), words);
}
