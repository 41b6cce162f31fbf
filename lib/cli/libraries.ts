import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** A shared library to look for. */
export interface Wanted {
  /** File names, best first. */
  readonly names: readonly string[];
  /** Environment variables that name a folder to look in before all others. */
  readonly variables: readonly string[];
  /** Folders to look in after the system's own search. */
  readonly folders: readonly string[];
}

export interface LibraryResult {
  /** The file that was loaded, in full. */
  readonly path: string | undefined;
  readonly looked: readonly string[];
  /** What the system's loader said of files that exist and do not load. */
  readonly complaints: readonly string[];
}

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

/** Looks for a library: named folders, `beside` (the addon's folder), the system's search, Python's wheels, `folders`. */
export function findLibrary(wanted: Wanted, beside: string | undefined): LibraryResult {
  const named = wanted.variables.flatMap((variable) => {
    const root = process.env[variable];
    return root ? [root, join(root, 'lib'), join(root, 'lib64'), join(root, 'bin')] : [];
  });
  const before = beside === undefined ? named : [...named, beside];
  const after = [...wheelFolders(), ...wanted.folders];
  const inFolders = (folders: readonly string[]): string[] =>
    folders.flatMap((folder) => wanted.names.map((name) => join(folder, name)));
  const candidates = [...inFolders(before), ...wanted.names, ...inFolders(after)];
  const looked = [
    `${wanted.names.join(' or ')} in`,
    ...wanted.variables.map((variable) => `$${variable}`),
    ...(beside === undefined ? [] : [beside]),
    'the system’s library path',
    'Python’s nvidia packages',
    ...wanted.folders,
  ];
  const text = looked.join(', ').replace(' in,', ' in');
  const run = spawnSync(process.execPath, ['-e', trial, '--', ...candidates], { encoding: 'utf8', timeout: 30_000 });
  if (run.status !== 0) {
    const how = run.signal ?? run.error?.message ?? `exit code ${run.status ?? '?'}`;
    return { path: undefined, looked: [text], complaints: [`loading it ended a test process: ${how}`] };
  }
  const { path, complaints } = JSON.parse(run.stdout) as TrialResult;
  return { path: path ?? undefined, looked: [text], complaints };
}

let wheels: string[] | undefined;

/** Library folders of NVIDIA's Python packages: in the active environment, then in the default Python's. */
function wheelFolders(): string[] {
  if (wheels !== undefined) return wheels;
  const { VIRTUAL_ENV, CONDA_PREFIX } = process.env;
  const environments = [VIRTUAL_ENV, CONDA_PREFIX].filter((root): root is string => !!root);
  const sites = environments.flatMap((root) =>
    children(join(root, 'lib'), /^python3/).map((folder) => join(folder, 'site-packages')),
  );
  const code = 'import site; print("\\n".join(site.getsitepackages() + [site.getusersitepackages()]))';
  const python = spawnSync('python3', ['-c', code], { encoding: 'utf8', timeout: 10_000 });
  if (python.status === 0) sites.push(...python.stdout.split('\n').filter((line) => line !== ''));
  wheels = sites.flatMap((site) => children(join(site, 'nvidia'), /./)).map((folder) => join(folder, 'lib'));
  return wheels;
}

function children(folder: string, pattern: RegExp): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => pattern.test(name))
    .map((name) => join(folder, name));
}
