import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..', '..');

/** Time of the last change of any file of a kind. */
const newest = (folder: string, suffix: string): number =>
  Math.max(
    0,
    ...readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith(suffix))
      .map((file) => statSync(join(folder, file)).mtimeMs),
  );

/** Compiles lib/ to dist/ when it is older: what is installed is what scripts import. */
export function compiled(): void {
  const dist = join(root, 'dist');
  if (existsSync(join(dist, 'index.js')) && newest(dist, '.js') > newest(join(root, 'lib'), '.ts')) return;
  execFileSync(
    process.execPath,
    [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.build.json'],
    {
      cwd: root,
      stdio: 'inherit',
    },
  );
}

/** How a script ended. */
export interface ScriptResult {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a script in a process of its own, where `cortado` is this package as it would be installed. */
export function script(
  code: string,
  options: {
    readonly type?: 'module' | 'commonjs';
    readonly flags?: readonly string[];
    readonly env?: NodeJS.ProcessEnv;
  } = {},
): ScriptResult {
  const { type = 'module', flags = [], env = {} } = options;
  const run = spawnSync(process.execPath, [...flags, `--input-type=${type}`, '--eval', code], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, ...env },
    timeout: 120_000,
  });
  return { code: run.status, signal: run.signal, stdout: run.stdout, stderr: run.stderr };
}
