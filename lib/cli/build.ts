import type { Command } from 'commander';
import { BadUsage, addCommand, note, print, printJson, type SharedOptions } from './command.js';
import { compileAddon, compileCuda, type Sanitizers } from './compile.js';

interface BuildOptions extends SharedOptions {
  readonly cuda?: boolean;
}

/** `cortado build`: compiles the native code from the shipped sources on this machine. */
export function register(program: Command): void {
  addCommand(program, 'build', 'compile the native addon (and the CUDA backend) from source')
    .option('--cuda', 'also compile the CUDA backend (needs CMake and the CUDA toolkit)')
    .action(build);
}

async function build(options: BuildOptions): Promise<void> {
  const started = performance.now();
  const verbose = options.verbose ?? false;
  const sanitizers = sanitizersWished();
  note('cortado: compiling the native addon …');
  const addon = await compileAddon(verbose, sanitizers);
  if (options.cuda) note('cortado: compiling the CUDA backend …');
  const cuda = options.cuda ? await compileCuda(verbose) : undefined;
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  if (options.json) printJson({ addon, cuda, seconds });
  else print([addon, cuda].filter((path) => path !== undefined).join('\n'));
  note(`cortado: built in ${seconds} s`);
}

/** CORTADO_SANITIZE builds the addon for tests of its memory and threads, in a folder of its own. */
function sanitizersWished(): Sanitizers | undefined {
  const wish = process.env.CORTADO_SANITIZE;
  if (wish === undefined || wish === '') return undefined;
  if (wish === 'address,undefined' || wish === 'thread') return wish;
  throw new BadUsage(`CORTADO_SANITIZE: expected 'address,undefined' or 'thread', got '${wish}'`);
}
