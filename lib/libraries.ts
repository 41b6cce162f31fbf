import { execFile } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A shared library of NVIDIA's to look for. */
export interface Wanted {
  /** File names, best first. */
  readonly names: readonly string[];
  /** Environment variables that name a folder, or the file, to look in before all others. */
  readonly variables: readonly string[];
  /** The environment variable that names the only file or folder, or is `off`. */
  readonly only?: string;
  /** Folders to look in after the system's own search. */
  readonly folders: readonly string[];
}

/** Where Linux distributions and CUDA's installer put libraries. */
export const systemFolders: readonly string[] = [
  `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`,
  '/usr/lib64',
  '/usr/local/cuda/lib64',
];

/** An unversioned name may be of any age: its version is compared when it has been loaded. */
export const CUDNN: Wanted = {
  names: ['libcudnn.so.9', 'libcudnn.so'],
  variables: ['CUDNN_ROOT'],
  only: 'CORTADO_CUDNN',
  folders: systemFolders,
};
export const CUBLASLT: Wanted = {
  names: ['libcublasLt.so.13', 'libcublasLt.so.12', 'libcublasLt.so'],
  variables: ['CUBLAS_ROOT'],
  only: 'CORTADO_CUBLASLT',
  folders: systemFolders,
};

/** Whether the environment says to do without the library. */
export const isOff = ({ only }: Wanted): boolean => only !== undefined && process.env[only] === 'off';

/** What to try, in order: files by path, and bare names, which the system's loader looks for. `wheels`: wheelFolders(). */
export function candidates(wanted: Wanted, beside: string | undefined, wheels: readonly string[]): string[] {
  const inFolders = (folders: readonly string[]): string[] =>
    folders.flatMap((folder) => wanted.names.map((name) => join(folder, name)));
  const only = wanted.only === undefined ? '' : (process.env[wanted.only] ?? '');
  if (only === 'off') return [];
  if (only !== '') return named(only, inFolders);
  const roots = wanted.variables.map((variable) => process.env[variable] ?? '').filter((root) => root !== '');
  return [
    ...roots.flatMap((root) => named(root, inFolders)),
    ...inFolders(beside === undefined ? [] : [beside]),
    ...wanted.names,
    ...inFolders([...wheels, ...wanted.folders]),
  ];
}

/** What a variable means: a file, or a folder in one of whose usual places the file is. */
function named(place: string, inFolders: (folders: readonly string[]) => string[]): string[] {
  if (existsSync(place) && statSync(place).isFile()) return [place];
  return inFolders([place, join(place, 'lib'), join(place, 'lib64'), join(place, 'bin')]);
}

/** The same for people. */
export function places(wanted: Wanted, beside: string | undefined): string {
  const all = [
    ...(wanted.only === undefined ? [] : [`$${wanted.only}`]),
    ...wanted.variables.map((variable) => `$${variable}`),
    ...(beside === undefined ? [] : [beside]),
    'the system’s library path',
    'Python’s nvidia packages',
    ...wanted.folders,
  ];
  return `${wanted.names.join(' or ')} in ${all.join(', ')}`;
}

let wheels: Promise<string[]> | undefined;

/** Library folders of NVIDIA's Python packages: in the active environment, then in the default Python's. */
export function wheelFolders(): Promise<string[]> {
  return (wheels ??= findWheels());
}

async function findWheels(): Promise<string[]> {
  const { VIRTUAL_ENV, CONDA_PREFIX } = process.env;
  const environments = [VIRTUAL_ENV, CONDA_PREFIX].filter((root): root is string => !!root);
  const sites = environments.flatMap((root) =>
    children(join(root, 'lib'), /^python3/).map((folder) => join(folder, 'site-packages')),
  );
  const code = 'import site; print("\\n".join(site.getsitepackages() + [site.getusersitepackages()]))';
  // Without Python there are no packages of its.
  const python = await promisify(execFile)('python3', ['-c', code], { timeout: 10_000 }).catch(() => undefined);
  sites.push(...(python?.stdout ?? '').split('\n').filter((line) => line !== ''));
  return sites.flatMap((site) => children(join(site, 'nvidia'), /./)).map((folder) => join(folder, 'lib'));
}

function children(folder: string, pattern: RegExp): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => pattern.test(name))
    .map((name) => join(folder, name));
}

/** Where plans of cuDNN's are kept from process to process: CORTADO_CACHE, or the user's folder for such things. */
export function plansFolder(): string {
  const { CORTADO_CACHE = '', XDG_CACHE_HOME = '' } = process.env;
  const caches = XDG_CACHE_HOME === '' ? join(homedir(), '.cache') : XDG_CACHE_HOME;
  return join(CORTADO_CACHE === '' ? join(caches, 'cortado') : CORTADO_CACHE, 'plans');
}
