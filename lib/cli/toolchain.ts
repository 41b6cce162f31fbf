import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { delimiter, join } from 'node:path';

const require = createRequire(import.meta.url);

/** Something that a build needs. */
export interface Requirement {
  readonly name: string;
  /** What was found, or undefined. */
  readonly found: string | undefined;
  /** What was looked for, and where. */
  readonly looked: string;
  /** What to do where it is missing: a command where there is one. */
  readonly fix: string;
}

/** Names of packages by package manager: the first manager that is installed here names the command. */
const managers: Record<string, { command: string; packages: Record<string, string> }> = {
  'apt-get': {
    command: 'sudo apt-get install -y',
    packages: {
      compiler: 'g++',
      make: 'make',
      python: 'python3',
      cmake: 'cmake',
      cuda: 'nvidia-cuda-toolkit',
      driver: 'nvidia-driver',
    },
  },
  dnf: {
    command: 'sudo dnf install -y',
    packages: { compiler: 'gcc-c++', make: 'make', python: 'python3', cmake: 'cmake', cuda: 'cuda-toolkit' },
  },
  apk: {
    command: 'apk add',
    packages: { compiler: 'g++', make: 'make', python: 'python3', cmake: 'cmake' },
  },
  pacman: {
    command: 'sudo pacman -S',
    packages: { compiler: 'gcc', make: 'make', python: 'python', cmake: 'cmake', cuda: 'cuda' },
  },
  zypper: {
    command: 'sudo zypper install -y',
    packages: { compiler: 'gcc-c++', make: 'make', python: 'python3', cmake: 'cmake' },
  },
};

/** The command that installs a package here, or advice where this system has none. */
export function installCommand(thing: string, otherwise: string): string {
  if (process.platform === 'darwin') {
    return { compiler: 'xcode-select --install', make: 'xcode-select --install' }[thing] ?? `brew install ${thing}`;
  }
  for (const [manager, { command, packages }] of Object.entries(managers)) {
    const name = packages[thing];
    if (name !== undefined && onPath(manager)) return `${command} ${name}`;
  }
  return otherwise;
}

/** The full path of a program on PATH. */
export function onPath(program: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}

/** All that compiling the addon needs. */
export function addonRequirements(): Requirement[] {
  const headers = ['node-gyp', 'node-addon-api', 'node-api-headers'].map(npmPackage);
  return process.platform === 'win32' ? [unix(), ...headers] : [compiler(), make(), python(), ...headers];
}

/** Visual C++ has no vectors of a chosen length, so even the addon for Windows is compiled elsewhere. */
function unix(): Requirement {
  const fix = 'its package, @cortado/win32-x64, which is made on Linux (npm run pack:all)';
  return { name: 'Linux or macOS', found: undefined, looked: 'this is Windows', fix };
}

/** All that compiling the CUDA backend needs. */
export function cudaRequirements(): Requirement[] {
  return [compiler(), cmake(), nvcc(), npmPackage('cmake-js')];
}

/** All that compiling the simulated GPU needs. */
export function simulationRequirements(): Requirement[] {
  return [compiler(), cmake(), npmPackage('cmake-js')];
}

/** How many compilers to start at once. */
export const jobs = availableParallelism();

/** A compiler counts only when it translates C++20 with the standard library: an old or half-installed one does not. */
function compiler(): Requirement {
  const wish = process.env.CXX;
  const candidates = wish ? [wish] : process.platform === 'darwin' ? ['c++', 'clang++'] : ['g++', 'c++', 'clang++'];
  const source = '#include <concepts>\n#include <span>\n#include <thread>\nstatic_assert(std::integral<int>);\n';
  const reasons: string[] = [];
  for (const candidate of candidates) {
    const [program = candidate, ...flags] = candidate.split(/\s+/);
    const args = [...flags, '-std=c++20', '-x', 'c++', '-fsyntax-only', '-'];
    const trial = spawnSync(program, args, { input: source, encoding: 'utf8' });
    if (trial.status === 0) return { name: 'C++20 compiler', found: candidate, looked: candidate, fix: '' };
    reasons.push(`${candidate}: ${complaint(trial)}`);
  }
  const where = wish ? '$CXX' : 'PATH ($CXX names another)';
  const fix = installCommand('compiler', 'install GCC 11 or Clang 14, or newer');
  return { name: 'C++20 compiler', found: undefined, looked: `${where}; ${reasons.join('; ')}`, fix };
}

/** A compiler that refuses its flags may be gone before it was given the source: such a broken pipe says nothing. */
function complaint({ status, signal, stderr, error }: SpawnSyncReturns<string>): string {
  if (status === null && signal === null)
    return error && 'code' in error && error.code === 'ENOENT' ? 'not found' : `${error?.message}`;
  return stderr.split('\n').find((line) => line.includes('error')) ?? `exit code ${status ?? signal}`;
}

function make(): Requirement {
  const wish = process.env.MAKE ?? 'make';
  const found = existsSync(wish) ? wish : onPath(wish);
  return { name: 'make', found, looked: `${wish} in PATH`, fix: installCommand('make', 'install GNU make') };
}

/** node-gyp writes its makefiles with a Python program. */
function python(): Requirement {
  const candidates = [process.env.npm_config_python, process.env.PYTHON, 'python3', 'python'];
  const names = candidates.filter((name): name is string => name !== undefined && name !== '');
  const test = 'import sys; assert sys.version_info >= (3, 8)';
  const found = names.find((name) => spawnSync(name, ['-c', test]).status === 0);
  const fix = installCommand('python', 'install Python 3.8 or newer');
  return { name: 'Python ≥ 3.8', found, looked: `${names.join(', ')} in PATH ($PYTHON names another)`, fix };
}

function cmake(): Requirement {
  const fix = installCommand('cmake', 'install CMake 3.24 or newer');
  return { name: 'CMake', found: onPath('cmake'), looked: 'cmake in PATH', fix };
}

/** The CUDA compiler, searched where CMakeLists.txt does. */
export function nvcc(): Requirement {
  const { CUDACXX, CUDA_HOME, CUDA_PATH } = process.env;
  const homes = [CUDA_HOME, CUDA_PATH, '/usr/local/cuda'].filter((home): home is string => !!home);
  const places = [...(CUDACXX ? [CUDACXX] : []), ...homes.map((home) => join(home, 'bin', 'nvcc'))];
  const found = places.find((place) => existsSync(place)) ?? onPath('nvcc');
  return {
    name: 'CUDA compiler',
    found,
    looked: `nvcc in $CUDACXX, $CUDA_HOME, $CUDA_PATH, /usr/local/cuda, PATH`,
    fix: installCommand('cuda', 'install the CUDA toolkit 12 or 13') + ' (or set CUDA_HOME)',
  };
}

function npmPackage(name: string): Requirement {
  try {
    return { name, found: require.resolve(`${name}/package.json`), looked: '', fix: '' };
  } catch {
    return { name, found: undefined, looked: `npm package ${name} beside Cortado`, fix: `npm install ${name}` };
  }
}
