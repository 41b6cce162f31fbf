import type { Command } from 'commander';
import { addonPlaces } from '../native-loader.js';
import { BadUsage, note, print, printJson, type SharedOptions } from './command.js';
import { compileAddon, compileCuda, compileSimulation, type Sanitizers } from './compile.js';
import { cudaRequirements } from './toolchain.js';

interface BuildOptions extends SharedOptions {
  readonly cuda?: boolean | string;
  readonly sim?: boolean;
}

/** `cortado build`: compiles the native code from the shipped sources on this machine. */
export function register(command: Command): void {
  command
    .option(
      '--cuda [when]',
      'also compile the CUDA backend (needs CMake and the CUDA toolkit); auto: where both are found',
    )
    .option('--sim', 'also compile the device cuda-sim: the CUDA backend run by the CPU, for tests (needs CMake)')
    .action(build);
}

async function build(options: BuildOptions): Promise<void> {
  const started = performance.now();
  const verbose = options.verbose ?? false;
  const sanitizers = sanitizersWished();
  note('cortado: compiling the native addon …');
  const addon = await compileAddon(verbose, sanitizers);
  const cuda = wantsCuda(options) ? await cudaBackend(verbose) : undefined;
  if (options.sim) note('cortado: compiling the simulated GPU …');
  const sim = options.sim ? await compileSimulation(verbose, sanitizers) : undefined;
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  if (options.json) printJson({ addon, cuda, sim, seconds });
  else print([addon, cuda, sim].filter((path) => path !== undefined).join('\n'));
  note(`cortado: built in ${seconds} s`);
  const first = addonPlaces().find(({ path }) => path !== undefined);
  if (first?.path !== addon && sanitizers === undefined)
    note(`cortado: ${first?.name} comes before what is built here; CORTADO_ADDON=${addon} takes the latter`);
}

async function cudaBackend(verbose: boolean): Promise<string> {
  note('cortado: compiling the CUDA backend …');
  return compileCuda(verbose);
}

/** `--cuda auto` leaves it to CORTADO_CUDA (on, off), or else builds where everything for it is found. */
function wantsCuda({ cuda = false }: BuildOptions): boolean {
  if (typeof cuda === 'boolean') return cuda;
  if (cuda !== 'auto') throw new BadUsage(`--cuda: expected auto or nothing, got '${cuda}'`);
  const wish = process.env.CORTADO_CUDA ?? 'auto';
  if (!['on', 'off', 'auto', ''].includes(wish))
    throw new BadUsage(`CORTADO_CUDA: expected on, off or auto, got '${wish}'`);
  if (wish === 'on' || wish === 'off') return wish === 'on';
  const missing = cudaRequirements().filter(({ found }) => found === undefined);
  if (missing.length > 0)
    note(`cortado: no CUDA backend, without ${missing.map(({ name }) => name).join(', ')} (cortado doctor tells more)`);
  return missing.length === 0;
}

/** CORTADO_SANITIZE builds the addon for tests of its memory and threads, in a folder of its own. */
function sanitizersWished(): Sanitizers | undefined {
  const wish = process.env.CORTADO_SANITIZE;
  if (wish === undefined || wish === '') return undefined;
  if (wish === 'address,undefined' || wish === 'thread') return wish;
  throw new BadUsage(`CORTADO_SANITIZE: expected 'address,undefined' or 'thread', got '${wish}'`);
}
