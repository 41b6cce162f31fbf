import { Command } from 'commander';
import { report, sharing } from './command.js';
import { version } from './version.js';

interface CommandModule {
  /** Says what the command takes and does. */
  register(command: Command): void;
}

/** One file each. They are loaded when called for: `cortado doctor` must work where an image library does not. */
const commands: Record<string, readonly [description: string, load: () => Promise<CommandModule>]> = {
  doctor: ['report what Cortado finds on this machine, and what mends it', () => import('./doctor.js')],
  build: ['compile the native addon (and the CUDA backend) from source', () => import('./build.js')],
  run: ['run a net on .npy files and write every blob as .npy', () => import('./run.js')],
  classify: ['tell what is on pictures', () => import('./classify.js')],
  time: ['time each layer, and compare with what the machine can do at best', () => import('./time.js')],
  summary: ['print a net as a table: layers, shapes, parameters, FLOPs, bytes', () => import('./summary.js')],
  verify: [
    'check every kernel of a device against the CPU, and its gradients against slopes',
    () => import('./verify.js'),
  ],
  draw: ['draw a net: Graphviz text, or SVG', () => import('./draw.js')],
  'import-images': [
    'make an LMDB of labelled pictures, as convert_imageset of Caffe does',
    () => import('./import-images.js'),
  ],
  train: ['train a net, by a solver file of Caffe or without one', () => import('./train.js')],
  finetune: ['teach a trained net other classes: a new last layer, lower rates below', () => import('./finetune.js')],
  test: [
    'tell how good a net is: accuracy, loss, a table of classes, what it takes for what',
    () => import('./test.js'),
  ],
  mean: ['compute the mean picture of a dataset, as compute_image_mean of Caffe does', () => import('./mean.js')],
  convert: [
    'write the tensors of a file in another format; the endings of the names say which',
    () => import('./convert.js'),
  ],
  inspect: ['list the tensors of a file: types, shapes and what their elements are like', () => import('./inspect.js')],
  fetch: ['download published weights, and check that they are what their publisher says', () => import('./fetch.js')],
  plot: ['draw loss and accuracy of trainings from their logs', () => import('./plot.js')],
  serve: ['answer requests over HTTP by the Open Inference Protocol', () => import('./serve.js')],
  demo: [
    'time AlexNet, teach a small net to tell shapes apart, and name what is on photographs',
    () => import('./demo.js'),
  ],
};

/** Runs the command line and returns the exit code: 0 ok, 1 failed, 2 bad usage. */
export async function run(words: readonly string[]): Promise<number> {
  const program = new Command('cortado')
    .description('Tensors and AlexNet-family networks, forward and backward, in Node.js')
    .version(version())
    .showHelpAfterError('(--help tells more)')
    .exitOverride();
  const named = words.find((word) => word !== 'help' && !word.startsWith('-'));
  try {
    for (const [name, [description, load]] of Object.entries(commands)) {
      const command = sharing(program.command(name).description(description));
      if (name === named) (await load()).register(command);
    }
    await program.parseAsync(words, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    return report(error, words.includes('--verbose'));
  }
}

/** `cortado … | head` ends the program when the reader has seen enough, without a complaint. */
export function quietOnClosedPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0);
      throw error;
    });
  }
}
