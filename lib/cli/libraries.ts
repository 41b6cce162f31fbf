import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { dirname } from 'node:path';
import { candidates, CUBLASLT, CUDNN, isOff, places, wheelFolders, type Wanted } from '../libraries.js';
import type { NativeLibrary } from '../native.js';

export interface LibraryResult {
  /** The file that was loaded, in full. */
  readonly path: string | undefined;
  readonly looked: readonly string[];
  /** What the system's loader said of files that exist and do not load. */
  readonly complaints: readonly string[];
}

const opening = `
  const [addon, backend, index, options] = process.argv.slice(1);
  const { Device } = require(addon);
  process.stdout.write(JSON.stringify(new Device(backend, Number(index), JSON.parse(options)).libraries));
`;

/**
 * What the CUDA backend makes of NVIDIA's libraries on a GPU, in a process of its own; where that does not end well, what
 * became of it.
 */
export async function openedLibraries(
  addon: string,
  backend: string,
  index: number,
): Promise<NativeLibrary[] | string> {
  const wheels = await wheelFolders();
  const [cudnn, cublaslt] = [CUDNN, CUBLASLT].map((wanted) => candidates(wanted, dirname(addon), wheels));
  const options = JSON.stringify({ cudnn, cublaslt, plans: '', threads: 1 });
  const run = spawnSync(process.execPath, ['-e', opening, '--', addon, backend, String(index), options], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  if (run.status === 0) return JSON.parse(run.stdout) as NativeLibrary[];
  const complaint = run.stderr?.split('\n').find((line) => line.includes('Error: '));
  return `opening GPU ${index} ended a test process: ${[howItEnded(run), complaint?.trim()].filter(Boolean).join(', ')}`;
}

const howItEnded = ({ signal, error, status }: SpawnSyncReturns<string>): string =>
  signal ?? error?.message ?? `exit code ${status ?? '?'}`;

interface TrialResult {
  readonly path: string | null;
  readonly complaints: string[];
}

/**
 * Loads each candidate with the system's own loader until one works. It runs in a process of its own, as a string,
 * because a broken driver may crash it. process.dlopen() refuses a library that is no addon, but only after loading it.
 */
const trial = `
  const { existsSync, readFileSync, realpathSync } = require('node:fs');
  const { basename } = require('node:path');
  const complaints = [];
  for (const candidate of process.argv.slice(1)) {
    const bare = basename(candidate) === candidate;
    if (!bare && !existsSync(candidate)) continue;
    try {
      process.dlopen({ exports: {} }, candidate);
    } catch (error) {
      if (!/did not self-register/.test(error.message)) {
        if (!bare) complaints.push(error.message);
        continue;
      }
    }
    let path = candidate;
    if (bare && process.platform === 'linux') {
      const name = candidate.replace(/[.]so.*/, '');
      const line = readFileSync('/proc/self/maps', 'utf8').split('\\n').find((text) => text.includes('/' + name + '.so'));
      if (line) path = line.slice(line.indexOf('/'));
    } else if (!bare) path = realpathSync(candidate);
    console.log(JSON.stringify({ path, complaints }));
    process.exit();
  }
  console.log(JSON.stringify({ path: null, complaints }));
`;

/** Loads a library with the system's own loader; `beside` is the addon's folder. */
export async function findLibrary(wanted: Wanted, beside: string | undefined): Promise<LibraryResult> {
  const text = places(wanted, beside);
  if (isOff(wanted)) return { path: undefined, looked: [text], complaints: [] };
  const run = spawnSync(process.execPath, ['-e', trial, '--', ...candidates(wanted, beside, await wheelFolders())], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  if (run.status !== 0) {
    const complaints = [`loading it ended a test process: ${howItEnded(run)}`];
    return { path: undefined, looked: [text], complaints };
  }
  const { path, complaints } = JSON.parse(run.stdout) as TrialResult;
  return { path: path ?? undefined, looked: [text], complaints };
}
