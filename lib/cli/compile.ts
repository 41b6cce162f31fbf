import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, cpSync, createWriteStream, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { buildFolder as release, isClone, packageRoot } from '../places.js';
import { Failure, note } from './command.js';
import { addonRequirements, cudaRequirements, jobs, simulationRequirements, type Requirement } from './toolchain.js';

const require = createRequire(import.meta.url);

/** Sanitizers to build with, and so the folder to build in: `address,undefined` or `thread`. */
export type Sanitizers = 'address,undefined' | 'thread';

/**
 * Compiles cortado.node with node-gyp and returns its path. A clone builds in place. An installed package has no
 * binding.gyp in its root (package managers would run it by themselves), so it builds in a folder of its own, and so do
 * sanitized builds, which must not replace the normal one.
 */
export async function compileAddon(verbose: boolean, sanitizers?: Sanitizers): Promise<string> {
  const inPlace = sanitizers === undefined && isClone();
  const apart = sanitizers ? join('build-sanitize', sanitizers.replace(',', '-')) : join('build', 'stage');
  const folder = inPlace ? packageRoot : stage(join(packageRoot, apart));
  const built = await compileAddonIn(folder, verbose);
  if (inPlace || sanitizers !== undefined) return built;
  mkdirSync(release, { recursive: true });
  const target = join(release, 'cortado.node');
  // A new file, not new contents: a process that runs the old addon keeps it.
  rmSync(target, { force: true });
  copyFileSync(built, target);
  rmSync(folder, { recursive: true, force: true });
  return target;
}

/** Compiles cortado.node from the sources in a folder (`stage`), for this machine's kind of CPU or another. */
export async function compileAddonIn(folder: string, verbose: boolean, arch: string = process.arch): Promise<string> {
  require_('the addon', addonRequirements());
  const build = join(folder, 'build');
  await runTool('the addon', { cwd: folder, logs: build, verbose }, [
    require.resolve('node-gyp/bin/node-gyp.js'),
    'configure',
    'build',
    '--release',
    `--arch=${arch}`,
    `--jobs=${jobs}`,
    // The stand-in for Node's own headers.
    `--nodedir=${join(packageRoot, 'native', 'gyp')}`,
    '--force-process-config',
  ]);
  return join(build, 'Release', 'cortado.node');
}

/** Compiles the CUDA backend in folder `out` and returns the path of the library: in `output`, by default beside the addon. */
export async function compileCuda(
  verbose: boolean,
  out = join(packageRoot, 'build', 'cuda'),
  output = release,
): Promise<string> {
  require_('the CUDA backend', cudaRequirements());
  const architectures = process.env.CORTADO_CUDA_ARCHITECTURES;
  await runCmake('the CUDA backend', out, verbose, {
    CORTADO_CUDA: 'on',
    CORTADO_OUTPUT: output,
    ...(architectures && { CORTADO_CUDA_ARCHITECTURES: architectures.replaceAll(',', ';') }),
  });
  return join(output, 'cortado_cuda.so');
}

/** Compiles the device `cuda-sim`, beside the addon that was built with the same sanitizers; returns its path. */
export async function compileSimulation(verbose: boolean, sanitizers?: Sanitizers): Promise<string> {
  require_('the simulated GPU', simulationRequirements());
  const folder = sanitizers && join(packageRoot, 'build-sanitize', sanitizers.replace(',', '-'), 'build');
  const output = folder ? join(folder, 'Release') : release;
  await runCmake('the simulated GPU', join(folder ?? join(packageRoot, 'build'), 'cuda-sim'), verbose, {
    CORTADO_CUDA: 'off',
    CORTADO_CUDA_SIM: 'on',
    CORTADO_SANITIZE: sanitizers ?? 'none',
    CORTADO_OUTPUT: output,
  });
  return join(output, 'cortado_cuda_sim.so');
}

/** Configures and builds a CMake project with cmake-js, which finds the program and its generators. */
async function runCmake(
  what: string,
  out: string,
  verbose: boolean,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  const tool = require.resolve('cmake-js/bin/cmake-js');
  const werror = process.env.CI || process.env.CORTADO_WERROR ? 'ON' : 'OFF';
  const all = Object.entries({ ...settings, CORTADO_WERROR: werror }).map(([name, value]) => `--CD${name}=${value}`);
  const shared = ['--directory', packageRoot, '--out', out, '--parallel', `${jobs}`];
  const run = { cwd: packageRoot, logs: dirname(out), verbose };
  await runTool(what, run, [tool, 'configure', ...shared, ...all]);
  await runTool(what, { ...run, append: true }, [tool, 'build', ...shared]);
}

/** A failed build in at most ten lines: what was looked for, where, and what to install. */
export function explainMissing(what: string, missing: readonly Requirement[]): string {
  const lines = missing.map(({ name, looked, fix }) => `  ${name}: not found (${looked})\n    install: ${fix}`);
  return [`cortado: cannot build ${what}, missing:`, ...lines.slice(0, 4)].join('\n');
}

function require_(what: string, requirements: readonly Requirement[]): void {
  const missing = requirements.filter(({ found }) => found === undefined);
  if (missing.length > 0) throw new Failure(explainMissing(what, missing));
}

/** Copies the sources to a build folder; unchanged files keep their dates, so a second build is short. */
export function stage(folder: string): string {
  for (const part of ['native', 'test/addon']) {
    const from = join(packageRoot, part);
    const to = join(folder, part);
    rmSync(to, { recursive: true, force: true });
    if (existsSync(from)) cpSync(from, to, { recursive: true, preserveTimestamps: true });
  }
  const recipe = ['binding.gyp', 'dist/binding.gyp'].map((file) => join(packageRoot, file)).find(existsSync);
  if (recipe === undefined) {
    throw new Failure(`cortado: binding.gyp is missing from ${packageRoot}; install the package again`);
  }
  copyFileSync(recipe, join(folder, 'binding.gyp'));
  return folder;
}

interface ToolRun {
  readonly cwd: string;
  /** The folder of its log. */
  readonly logs: string;
  readonly verbose: boolean;
  /** To the log that is there. */
  readonly append?: boolean;
}

/** Runs a build tool with its output in a log, and turns a failure into the lines that matter. */
async function runTool(what: string, { cwd, logs, verbose, append }: ToolRun, args: string[]): Promise<void> {
  const logFile = join(logs, 'build.log');
  mkdirSync(logs, { recursive: true });
  const log = createWriteStream(logFile, { flags: append ? 'a' : 'w' });
  const child = spawn(process.execPath, args, { cwd, env: cleanEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) {
    stream.pipe(log, { end: false });
    if (verbose) stream.pipe(process.stderr, { end: false });
  }
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  log.end();
  await once(log, 'finish');
  if (code !== 0) throw new Failure(explainFailure(what, logFile, code ?? signal));
  const warnings = readFileSync(logFile, 'utf8')
    .split('\n')
    .filter((line) => line.includes('warning:'));
  for (const warning of warnings.slice(0, 5)) note(`  ${warning}`);
}

/** npm hands its own settings for node-gyp down; one of them could put other headers under the build. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const foreign = /^npm_(config|package_config_node_gyp)_(nodedir|target|runtime|dist_?url|arch)$/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}

function explainFailure(what: string, logFile: string, code: number | string | null): string {
  const lines = readFileSync(logFile, 'utf8').split('\n');
  const telling = /\berror:|CMake Error|No space left|Killed|undefined reference|cannot find|Permission denied/i;
  const noise = /^(npm|gyp) ERR!? *(stack|cwd|node -v|System|command|not ok)|^make.*Error \d|^ERROR OMG/;
  const first = lines.filter((line) => telling.test(line) && !noise.test(line)).slice(0, 6);
  const advice = lines.some((line) => /No space left/i.test(line))
    ? 'the disk is full: free some space and try again'
    : lines.some((line) => /Killed|cannot allocate memory/i.test(line))
      ? 'the compiler ran out of memory: close other programs or add swap, and try again'
      : 'the compiler was found but refused the sources; CXX=… chooses another (GCC ≥ 11, Clang ≥ 14)';
  const shown = first.map((line) => `  ${line.trim().slice(0, 200)}`);
  return [
    `cortado: building ${what} failed (exit ${code ?? '?'}): ${advice}`,
    ...shown,
    `  whole log: ${logFile}`,
  ].join('\n');
}
