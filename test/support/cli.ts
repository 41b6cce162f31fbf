import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Arguments by which Node runs TypeScript. */
export const typescript = ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href];

const main = resolve(import.meta.dirname, '..', '..', 'lib', 'cli', 'main.ts');

export interface CliResult {
  /** Exit code; null when a signal ended the program. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line from the sources, with `input` on its standard input. A variable set to undefined is taken out of the environment. */
export function cli(args: readonly string[], env: NodeJS.ProcessEnv = {}, input?: string | Buffer): CliResult {
  const environment = Object.fromEntries(
    Object.entries({ ...process.env, ...env }).filter(([, value]) => value !== undefined),
  );
  const run = spawnSync(process.execPath, [...typescript, main, ...args], {
    encoding: 'utf8',
    env: environment,
    ...(input !== undefined && { input }),
    maxBuffer: 2 ** 28,
  });
  return { code: run.status, stdout: run.stdout, stderr: run.stderr };
}
