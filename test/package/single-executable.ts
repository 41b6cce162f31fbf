import { execFileSync } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { build } from 'esbuild';

/** Node's mark for where the program goes: nodejs.org/api/single-executable-applications.html */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/** Makes a program of its own of a module, as docs/install.md says: Node, the bundle and the addon in one file. */
export async function makeExecutable(entry: string, addon: string, folder: string): Promise<string> {
  const [bundle, config, blob, program] = ['app.cjs', 'sea.json', 'app.blob', 'app'].map((name) =>
    join(folder, name),
  ) as [string, string, string, string];
  await build({
    entryPoints: [entry],
    bundle: true,
    platform: 'node',
    external: ['sharp'],
    logLevel: 'error',
    outfile: bundle,
  });
  const settings = {
    main: bundle,
    output: blob,
    disableExperimentalSEAWarning: true,
    assets: { 'cortado.node': addon },
  };
  writeFileSync(config, JSON.stringify(settings));
  execFileSync(process.execPath, ['--experimental-sea-config', config], { stdio: 'ignore' });
  copyFileSync(process.execPath, program);
  const postject = createRequire(import.meta.url).resolve('postject/dist/cli.js');
  execFileSync(process.execPath, [postject, program, 'NODE_SEA_BLOB', blob, '--sentinel-fuse', FUSE], {
    stdio: 'ignore',
  });
  return program;
}
