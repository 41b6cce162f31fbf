import { Command } from 'commander';
import { report } from './command.js';
import { version } from './version.js';

interface CommandModule {
  register(program: Command): void;
}

/** One file each. They are loaded when called for: `cortado doctor` must work where an image library does not. */
const commands: Record<string, () => Promise<CommandModule>> = {
  doctor: () => import('./doctor.js'),
  build: () => import('./build.js'),
  run: () => import('./run.js'),
  classify: () => import('./classify.js'),
  time: () => import('./time.js'),
  summary: () => import('./summary.js'),
  verify: () => import('./verify.js'),
  draw: () => import('./draw.js'),
  'import-images': () => import('./import-images.js'),
  train: () => import('./train.js'),
  finetune: () => import('./finetune.js'),
  test: () => import('./test.js'),
  mean: () => import('./mean.js'),
  convert: () => import('./convert.js'),
  inspect: () => import('./inspect.js'),
  fetch: () => import('./fetch.js'),
  plot: () => import('./plot.js'),
  serve: () => import('./serve.js'),
  demo: () => import('./demo.js'),
};

/** Runs the command line and returns the exit code: 0 ok, 1 failed, 2 bad usage. */
export async function run(words: readonly string[]): Promise<number> {
  const program = new Command('cortado')
    .description('Tensors and AlexNet-family networks, forward and backward, in Node.js')
    .version(version())
    .showHelpAfterError('(--help tells more)')
    .exitOverride();
  const named = commands[words[0] ?? ''];
  try {
    for (const load of named ? [named] : Object.values(commands)) (await load()).register(program);
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
