import { InvalidArgumentError, Option, type Command } from 'commander';
import { OPTIMIZERS, type Choices } from '../../recipes/choices.js';
import { BadUsage, positiveInteger, type ComputeOptions } from '../command.js';

/** What `train` and `finetune` take. */
export interface TrainWords extends ComputeOptions, Omit<Choices, 'rate' | 'device'> {
  readonly solver?: string;
  readonly net?: string;
  readonly data?: string;
  readonly testData?: string;
  readonly snapshot?: string | true;
  readonly weights?: string;
  readonly output?: string;
  readonly lr?: number;
  readonly checkpointEvery?: number;
  readonly keep?: number;
  readonly display?: number;
  readonly log?: string;
}

/** Says for an option what a number must be. */
export function number(rule: string, fits: (value: number) => boolean): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isFinite(value) && fits(value)) return value;
    throw new InvalidArgumentError(`expected ${rule}.`);
  };
}

const positive = number('a number above 0', (value) => value > 0);
/** Argument parser for commander. */
export const notNegative = number('a number of at least 0', (value) => value >= 0);
const wholeNumber = number('a whole number of at least 0', (value) => Number.isSafeInteger(value) && value >= 0);

/** Adds what concerns the data and the course of a training, whatever says how to train. */
export function addCourse(command: Command): Command {
  return command
    .option(
      '--data <path>',
      'pictures to learn from: a folder with one for each class, a list, a database; or a folder with train and test (or val) in it',
    )
    .option('--test-data <path>', 'pictures to evaluate on')
    .option(
      '--snapshot [file]',
      'go on from a checkpoint or .solverstate; without a file from the newest, or from the start where there is none',
    )
    .option(
      '--output <prefix>',
      'first part of the paths of what is written (default: the name of the net; of a solver file its snapshot_prefix)',
    )
    .option('--patience <n>', 'stop after so many evaluations without a better one', positiveInteger)
    .option('--keep <n>', 'how many checkpoints to keep (default: 3; of a solver file all)', positiveInteger)
    .option(
      '--statistics <n>',
      'measure activations and gradients every so many iterations, for --json and --log',
      positiveInteger,
    )
    .option('--workers <n>', 'threads that read and decode pictures (default: the cores less one)', positiveInteger)
    .option('--display <n>', 'show every so many iterations; 0: none', wholeNumber)
    .option('--log <file>', 'write JSON lines behind what the file has; "cortado plot" draws them');
}

/** Adds what a solver file would say. */
export function addRecipe(command: Command): Command {
  return command
    .option('--epochs <n>', 'times to go through the pictures (default: 30, and at least 300 iterations)', positive)
    .option('--iterations <n>', 'updates to make, instead of --epochs', positiveInteger)
    .option('--batch <n>', 'pictures of an iteration (default: 32)', positiveInteger)
    .option('--lr <x>', 'learning rate (default: as the optimizer needs)', notNegative)
    .addOption(new Option('--optimizer <name>', 'what turns gradients into updates').choices(OPTIMIZERS))
    .option('--momentum <x>', 'of sgd and nesterov (default: 0.9)', notNegative)
    .option('--weight-decay <x>', 'penalty on the size of weights (default: 0.0005; of adamW 0.01)', notNegative)
    .addOption(
      new Option('--schedule <name>', 'how the rate falls (default: cosine, after a warm-up)').choices([
        'cosine',
        'fixed',
      ]),
    )
    .option('--classes <n>', 'classes of data that does not name them', positiveInteger)
    .option(
      '--resize <n>',
      'shorter side of a picture before it is cut (default: an eighth more than the net takes)',
      positiveInteger,
    )
    .option('--no-mirror', 'mirror no pictures')
    .option('--mean <mean>', 'values such as 104,117,123, or a .npy or .binaryproto file (default: as the net wants)')
    .option(
      '--scale <factor>',
      'multiplies pixels after the mean is taken off (default: as the net wants)',
      notNegative,
    )
    .option('--jitter <x>', 'colour jitter along the principal components, as in the 2012 paper: 0.1', notNegative)
    .option('--seed <n>', 'of parameters, dropout, order and augmentation (default: 1)', wholeNumber)
    .option('--eval-every <n>', 'iterations between two evaluations (default: an epoch)', positiveInteger)
    .option(
      '--checkpoint-every <n>',
      'iterations between two checkpoints (default: an epoch, at least 100)',
      positiveInteger,
    );
}

/** Options that a solver file speaks for. */
const OF_RECIPES = [
  'epochs',
  'iterations',
  'batch',
  'lr',
  'optimizer',
  'momentum',
  'weightDecay',
  'schedule',
  'classes',
  'resize',
  'mean',
  'scale',
  'jitter',
  'seed',
  'evalEvery',
  'checkpointEvery',
] as const satisfies readonly (keyof TrainWords)[];

/** @throws {BadUsage} for options that say what a solver file says */
export function checkSolverWords(words: TrainWords): void {
  const twice =
    OF_RECIPES.find((name) => words[name] !== undefined) ?? (words.mirror === false ? 'no-mirror' : undefined);
  if (twice === undefined) return;
  const option = twice.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new BadUsage(`--${option}: not with --solver, whose files say it`);
}
