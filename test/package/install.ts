/**
 * The packed packages as their users get them: `npm run test:package`. In an empty folder, on a machine with nothing but
 * Node, each package manager installs cortado from a registry, and programs of each kind run.
 */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { packageRoot, packageVersion, platform } from '../../lib/places.js';
import { managers, upstream } from './managers.js';
import { startRegistry, type Registry } from './registry.js';
import { makeExecutable } from './single-executable.js';

const require = createRequire(import.meta.url);
const apps = join(import.meta.dirname, 'apps');
const root = mkdtempSync(join(tmpdir(), 'cortado-package-'));
const bin = join(root, 'bin');
/** CORTADO_PACKAGES: tarballs that were made before, as a release does. */
const tarballs = resolve(process.env.CORTADO_PACKAGES ?? join(root, 'tarballs'));

/** Nothing of the caller's: no compiler, no settings of npm's or of ours. */
const env: NodeJS.ProcessEnv = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(npm_|cortado_|yarn_|pnpm_|NODE_(ENV|OPTIONS|PATH)$)/i.test(name),
    ),
  ),
  PATH: bin,
  CI: '1',
  NO_PROXY: ['127.0.0.1', process.env.NO_PROXY].filter(Boolean).join(),
  no_proxy: ['127.0.0.1', process.env.no_proxy].filter(Boolean).join(),
};

/** Runs a program to its end; gives what it printed. */
async function run(cwd: string, program: string, ...args: string[]): Promise<string> {
  try {
    return (await promisify(execFile)(program, args, { cwd, env, maxBuffer: 2 ** 26 })).stdout.trim();
  } catch (error) {
    const { message, stdout, stderr } = error as Error & { stdout: string; stderr: string };
    return assert.fail(`${message}\n${stdout}\n${stderr}`);
  }
}

const node = (cwd: string, ...args: string[]): Promise<string> => run(cwd, process.execPath, ...args);

describe('the packages', function () {
  this.timeout(900_000);
  let registry: Registry;

  before(async () => {
    mkdirSync(bin);
    // Node alone; a shell, by which npm's own parts call each other.
    symlinkSync(process.execPath, join(bin, 'node'));
    symlinkSync('/bin/sh', join(bin, 'sh'));
    const pack = ['--import', 'tsx', 'scripts/pack/run.ts', '--out', tarballs, 'cortado', platform()];
    if (!process.env.CORTADO_PACKAGES) execFileSync(process.execPath, pack, { cwd: packageRoot, stdio: 'inherit' });
    registry = await startRegistry(tarballs, upstream);
  });
  after(async () => {
    await registry?.[Symbol.asyncDispose]();
    rmSync(root, { recursive: true, force: true });
  });

  it('are tested where nothing can be compiled', () => {
    for (const tool of ['cc', 'g++', 'make', 'cmake', 'python3'])
      assert.throws(() => execFileSync(tool, ['--version'], { env }), { code: 'ENOENT' });
  });

  it('have no scripts, and nothing in the root that a package manager would compile', () => {
    const folder = join(root, 'unpacked');
    mkdirSync(folder);
    execFileSync('tar', ['-xzf', join(tarballs, `cortado-${packageVersion}.tgz`), '-C', folder]);
    const files = readdirSync(join(folder, 'package'));
    const manifest = JSON.parse(readFileSync(join(folder, 'package', 'package.json'), 'utf8')) as Record<
      string,
      unknown
    >;
    assert.deepEqual(
      files.filter((file) => /gyp|\.node$|^build$/.test(file)),
      [],
    );
    assert.equal(manifest.scripts, undefined);
    assert.equal(manifest.gypfile, false);
    const versions = Object.values(manifest.optionalDependencies as Record<string, string>);
    assert.ok(versions.length > 0 && versions.every((version) => version === packageVersion));
  });

  for (const manager of managers)
    describe(`installed by ${manager.name}`, () => {
      const folder = join(root, manager.name);

      before(async () => {
        cpSync(apps, folder, { recursive: true });
        writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'apps', private: true, type: 'commonjs' }));
        manager.prepare?.(folder, registry.url);
        const wanted = [`cortado@${packageVersion}`, '@types/node@20'];
        await node(folder, ...manager.command(registry.url, wanted));
      });

      it('come with the native code of this platform, and of no other', () => {
        assert.deepEqual(platformsIn(folder), [platform()]);
      });

      it('name a picture from an ES module', async () => assert.equal(await node(folder, 'esm/app.mjs'), 'cat'));

      it('compute from CommonJS', async () => assert.equal(await node(folder, 'cjs/app.cjs'), '48'));

      it('have types for TypeScript at its strictest', async () => {
        writeFileSync(join(folder, 'typescript', 'package.json'), JSON.stringify({ type: 'module' }));
        await node(join(folder, 'typescript'), require.resolve('typescript/bin/tsc'));
        assert.equal(await node(folder, 'typescript/app.js'), '21');
      });

      it('serve a pool of worker threads', async () => assert.equal(await node(folder, 'pool/app.mjs'), '16 4'));

      it('load in a child process', async () => assert.equal(await node(folder, 'child/app.cjs'), '1.000'));

      it('become part of an esbuild bundle, the native code beside it', async () => {
        const elsewhere = mkdtempSync(join(root, 'bundle-'));
        await build({
          entryPoints: [join(folder, 'bundle', 'app.mjs')],
          bundle: true,
          platform: 'node',
          external: ['sharp'],
          logLevel: 'error',
          outfile: join(elsewhere, 'app.cjs'),
        });
        cpSync(addonOf(folder), join(elsewhere, 'cortado.node'));
        assert.equal(await node(elsewhere, 'app.cjs'), '0,2,4');
      });
    });

  describe('once installed', () => {
    const folder = join(root, 'npm');

    it('are content: cortado doctor', async () => {
      const report = JSON.parse(await node(folder, 'node_modules/cortado/dist/cli/main.js', 'doctor', '--json')) as {
        readonly ok: boolean;
        readonly addon: { readonly how: string };
      };
      assert.deepEqual([report.ok, report.addon.how], [true, 'prebuilt package']);
    });

    it('become a single-executable application', async function () {
      if (process.platform !== 'linux') this.skip();
      const elsewhere = mkdtempSync(join(root, 'executable-'));
      const program = await makeExecutable(join(folder, 'bundle', 'app.mjs'), addonOf(folder), elsewhere);
      assert.equal(await run(root, program), '0,2,4');
    });

    it('tell a package of another version from theirs, and one that is missing, and what mends it', async () => {
      const prebuilt = join(folder, 'node_modules', '@cortado', platform());
      const manifest = join(prebuilt, 'package.json');
      const ask = `import('cortado').then((c) => c.compile(c.lenet())).catch((e) => console.log(JSON.stringify(e)))`;
      const failure = async (): Promise<{ code: string; fix: string; tried: { path: string; reason: string }[] }> =>
        JSON.parse(await node(folder, '-e', ask)) as never;

      writeFileSync(manifest, readFileSync(manifest, 'utf8').replace(`"${packageVersion}"`, '"0.0.1"'));
      const other = await failure();
      assert.equal(other.tried[0]?.reason, `of version 0.0.1, ${packageVersion} needed`);

      rmSync(prebuilt, { recursive: true });
      const { code, tried, fix } = await failure();
      assert.equal(code, 'ADDON_NOT_FOUND');
      const built = join(folder, 'node_modules', 'cortado', 'build', 'Release', 'cortado.node');
      const name = `@cortado/${platform()}`;
      assert.deepEqual(tried, [
        { path: name, reason: 'not installed' },
        { path: built, reason: 'no such file' },
      ]);
      assert.equal(fix, `npm install ${name}@${packageVersion}`);
    });
  });
});

/** The addon where each package manager puts it. */
function addonOf(folder: string): string {
  const file = join('node_modules', '@cortado', platform(), 'cortado.node');
  const places = [folder, join(folder, 'node_modules', '.pnpm', `@cortado+${platform()}@${packageVersion}`)];
  return (
    places.map((place) => join(place, file)).find((path) => existsSync(path)) ?? assert.fail(`no addon in ${folder}`)
  );
}

/** The platforms whose packages were installed. */
function platformsIn(folder: string): string[] {
  const [plain, virtual] = [join(folder, 'node_modules', '@cortado'), join(folder, 'node_modules', '.pnpm')];
  if (existsSync(plain)) return readdirSync(plain);
  return readdirSync(virtual).flatMap((name) => /^@cortado\+(.*)@/.exec(name)?.[1] ?? []);
}
