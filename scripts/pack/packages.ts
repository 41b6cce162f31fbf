/** The packages: how each is made, and whether this machine can make it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { compileAddonIn, compileCuda, stage } from '../../lib/cli/compile.js';
import { cudaRequirements } from '../../lib/cli/toolchain.js';
import { packageRoot, platform, PLATFORMS } from '../../lib/places.js';
import { makeBaseline } from './baseline.js';
import { checkBaseline } from './check.js';
import { withEnvironment } from './environment.js';
import { mainManifest, platformManifest, root } from './manifest.js';
import { checkWindows, compileForWindows, missingForWindows } from './windows.js';

const work = join(packageRoot, 'build-pack');
const CROSS = 'aarch64-linux-gnu';
const WINDOWS = 'win32-x64';

/** Of the CUDA library; its users download it. */
const MOST_BYTES = 180e6;

export interface Package {
  /** Without the scope: `linux-x64`. */
  readonly name: string;
  /** Why this machine cannot make it; undefined where it can. */
  missing(): string | undefined;
  /** Puts it together in a folder; tells what it needs of the system. */
  make(folder: string): Promise<string>;
}

/** All that can be made somewhere. */
export const packages: readonly Package[] = [
  { name: 'cortado', missing: () => undefined, make: (folder) => Promise.resolve(makeMain(folder)) },
  ...Object.keys(PLATFORMS).map((name) => ({
    name,
    missing: () => cannotCompile(name),
    make: (folder: string) => makeAddon(name, folder),
  })),
  { name: 'cuda-linux-x64', missing: cannotCompileCuda, make: makeCuda },
];

/** JavaScript, types, and the sources for `cortado build`. */
function makeMain(folder: string): string {
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', join(folder, 'dist')], {
    cwd: packageRoot,
    stdio: 'inherit',
  });
  const others = root.files.filter((name) => name !== 'dist');
  for (const name of [...others, 'README.md', 'LICENSE'])
    cpSync(join(packageRoot, name), join(folder, name), { recursive: true });
  // In the root of the package npm would compile it by itself.
  copyFileSync(join(packageRoot, 'binding.gyp'), join(folder, 'dist', 'binding.gyp'));
  writeManifest(folder, mainManifest());
  return 'Node alone';
}

async function makeAddon(name: string, folder: string): Promise<string> {
  const addon = await compileFor(name);
  const description = `Cortado's native code for ${name}: cortado installs it where it fits.`;
  copyInto(folder, [addon]);
  writeManifest(folder, platformManifest(`@cortado/${name}`, name, description, [basename(addon)]));
  if (name === WINDOWS) return checkWindows(addon);
  return hasGlibc(name) ? checkBaseline(addon, name.split('-')[1]!) : 'what Node needs';
}

function compileFor(name: string): Promise<string> {
  if (name === WINDOWS) return compileForWindows(join(work, WINDOWS));
  return name === platform() ? compileHere() : compileCross();
}

async function makeCuda(folder: string): Promise<string> {
  const flags = makeBaseline('g++', join(work, 'baseline', 'linux-x64')).join(' ');
  const [build, output] = ['build', 'library'].map((part) => join(work, 'cuda', part)) as [string, string];
  const library = await withEnvironment({ LDFLAGS: flags }, () => compileCuda(false, build, output));
  const files = [library, join(output, 'cortado_cuda_probe')];
  copyInto(folder, files);
  files.forEach((file) => execFileSync('strip', ['--strip-unneeded', join(folder, basename(file))]));
  const { size } = statSync(join(folder, basename(library)));
  if (size > MOST_BYTES) throw new Error(`${library}: expected at most ${MOST_BYTES / 1e6} MB, got ${size / 1e6} MB`);
  const names = files.map((file) => basename(file));
  const description = "Cortado's kernels for NVIDIA GPUs: install it beside cortado.";
  const manifest = platformManifest('@cortado/cuda-linux-x64', 'linux-x64', description, names);
  writeManifest(folder, { ...manifest, peerDependencies: { cortado: root.version } });
  return `${files.map((file) => checkBaseline(file, 'x64', names))[0]}, an NVIDIA driver`;
}

/** In the clone itself, whose objects serve: against the baseline only the link differs. */
async function compileHere(): Promise<string> {
  if (!hasGlibc(platform())) return compileAddonIn(packageRoot, false);
  const flags = makeBaseline(process.env.CXX ?? 'g++', join(work, 'baseline', platform()));
  return withEnvironment({ LDFLAGS: flags.join(' ') }, () => compileAddonIn(packageRoot, false));
}

async function compileCross(): Promise<string> {
  const flags = makeBaseline(`${CROSS}-g++`, join(work, 'baseline', 'linux-arm64'));
  const tools = { CC: `${CROSS}-gcc`, CXX: `${CROSS}-g++`, AR: `${CROSS}-ar`, LDFLAGS: flags.join(' ') };
  return withEnvironment(tools, () => compileAddonIn(stage(join(work, 'linux-arm64')), false, 'arm64'));
}

function cannotCompile(name: string): string | undefined {
  if (name === WINDOWS) return missingForWindows();
  if (name === platform()) return undefined;
  if (name !== 'linux-arm64' || process.platform !== 'linux') return `made on ${name} itself`;
  return spawnSync(`${CROSS}-g++`, ['--version']).status === 0 ? undefined : `needs g++-${CROSS}`;
}

function cannotCompileCuda(): string | undefined {
  if (platform() !== 'linux-x64') return 'made on linux-x64';
  const missing = cudaRequirements().filter(({ found }) => found === undefined);
  return missing.length > 0 ? `needs ${missing.map(({ name }) => name).join(', ')}` : undefined;
}

function hasGlibc(name: string): boolean {
  return name.startsWith('linux-') && !name.endsWith('-musl');
}

function copyInto(folder: string, files: readonly string[]): void {
  for (const file of files) {
    copyFileSync(file, join(folder, basename(file)));
    chmodSync(join(folder, basename(file)), 0o755);
  }
  copyFileSync(join(packageRoot, 'LICENSE'), join(folder, 'LICENSE'));
}

function writeManifest(folder: string, manifest: object): void {
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** An empty folder to put a package together in. */
export function emptyFolder(name: string): string {
  const folder = join(work, 'packages', name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}
