import type { Command } from 'commander';
import { BadUsage, computing } from './command.js';
import { netJob } from './training/by-net.js';
import { solverJob } from './training/by-solver.js';
import { Held } from '../recipes/held.js';
import { runJob } from './training/job.js';
import { addCourse, addRecipe, type TrainWords } from './training/words.js';

/** `cortado train`: a net learns, as a solver file says or without one. */
export function register(command: Command): void {
  computing(command)
    .option('--solver <file>', "Caffe's solver.prototxt: says all but the device")
    .option('--net <net>', 'instead: a ready-made model such as alexnet, or a prototxt file with a loss')
    .option('--weights <files>', 'start from these: .caffemodel or .safetensors, separated by commas');
  addRecipe(addCourse(command)).action(trainCommand);
}

async function trainCommand(words: TrainWords): Promise<void> {
  if ((words.solver === undefined) === (words.net === undefined))
    throw new BadUsage('expected either --solver FILE or --net NAME --data FOLDER');
  await using held = new Held();
  await runJob(words.solver === undefined ? await netJob(words, held) : await solverJob(words, held), words);
}
