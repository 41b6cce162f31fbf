/**
 * Packs what it takes to test and time Cortado on a GPU where there is neither Node nor a network: the clone's files, its
 * build of the CUDA backend, the packages that the tests import, the fixtures, this Node. npm run pack:gpu makes
 * dist-packages/cortado-gpu.tar.xz; there, tar xf cortado-gpu.tar.xz && bash cortado-gpu/scripts/gpu/run.sh RESULTS
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { globSync } from 'tinyglobby';
import { packageRoot } from '../../lib/places.js';

const NAME = 'cortado-gpu';
const BUILT = ['cortado.node', 'cortado_cuda.so', 'cortado_cuda_probe'].map((file) => join('build', 'Release', file));
const fixtures = process.env.CORTADO_FIXTURES ?? join(packageRoot, '..', 'shared', 'fixtures');

const missing = BUILT.filter((file) => !existsSync(join(packageRoot, file)));
if (missing.length > 0) throw new Error(`${missing.join(', ')} not there: npm run build:cuda makes them`);

const work = mkdtempSync(join(tmpdir(), 'cortado-pack-'));
try {
  const folder = join(work, NAME);
  const bring = (file: string): void =>
    cpSync(join(packageRoot, file), join(folder, file), {
      recursive: true,
      // Tests compile what is older than its source.
      preserveTimestamps: true,
      filter: (path) => !isNested(path),
    });
  const sources = execFileSync('git', ['ls-files', '-z'], { cwd: packageRoot, encoding: 'utf8' }).split('\0');
  for (const file of [...sources.filter((name) => name !== ''), 'dist', ...BUILT, ...(await packageFolders())])
    bring(file);
  cpSync(process.execPath, join(folder, 'node'), { dereference: true });
  if (existsSync(fixtures)) cpSync(fixtures, join(folder, 'fixtures'), { recursive: true });
  const out = join(packageRoot, 'dist-packages', `${NAME}.tar.xz`);
  mkdirSync(dirname(out), { recursive: true });
  execFileSync('tar', ['-cJf', out, '-C', work, NAME], { env: { ...process.env, XZ_OPT: '-T0 -6' } });
  console.log(out);
} finally {
  rmSync(work, { recursive: true });
}

/** Packages within packages are brought by themselves. */
function isNested(path: string): boolean {
  return path.split('node_modules').length > 2 && path.endsWith('node_modules');
}

/** The folders of all packages that run.sh needs, below the root. */
async function packageFolders(): Promise<string[]> {
  const tests = globSync('test/{cuda,ops,fixtures,solvers,model,addon}/*.test.ts', { cwd: packageRoot });
  const { metafile } = await build({
    absWorkingDir: packageRoot,
    entryPoints: ['bench/gpu.ts', 'test/on-device.ts', ...tests],
    bundle: true,
    write: false,
    outdir: 'out',
    metafile: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
  });
  const imported = Object.values(metafile.inputs).flatMap(({ imports }) =>
    imports.filter(({ path, external }) => external && !path.startsWith('node:')).map(({ path }) => path),
  );
  const folders = new Set<string>();
  // Tests look for two without importing them, to compile kernels of their own.
  for (const name of ['mocha', 'tsx', 'node-api-headers', 'node-addon-api', ...imported])
    follow(nameOf(name), '', folders);
  return [...folders];
}

/** `name` as a package in folder `from` would find it, and what it needs in turn. */
function follow(name: string, from: string, folders: Set<string>): void {
  for (let place = from; ; place = place.slice(0, Math.max(0, place.lastIndexOf('node_modules') - 1))) {
    const folder = join(place, 'node_modules', name);
    const file = join(packageRoot, folder, 'package.json');
    if (existsSync(file)) {
      if (folders.has(folder)) return;
      folders.add(folder);
      const { dependencies = {}, optionalDependencies = {} } = JSON.parse(readFileSync(file, 'utf8')) as Manifest;
      for (const needed of Object.keys({ ...dependencies, ...optionalDependencies })) follow(needed, folder, folders);
      return;
    }
    if (place === '') return; // for another platform
  }
}

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** The package of an import: its scope and name, or its name. */
function nameOf(path: string): string {
  return path
    .split('/')
    .slice(0, path.startsWith('@') ? 2 : 1)
    .join('/');
}
