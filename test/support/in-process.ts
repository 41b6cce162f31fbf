import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { run as commandLine } from '../../lib/cli/commands.js';
import type { CliResult } from './cli.js';
import { compiled } from './scripts.js';

const commands = pathToFileURL(resolve(import.meta.dirname, '..', '..', 'dist', 'cli', 'commands.js')).href;

/**
 * Runs the command line in this process: no second to start another. Not for two at once. Compiled, since threads that read
 * pictures start many times as fast as from the sources.
 */
export async function inProcess(args: readonly string[]): Promise<CliResult> {
  compiled();
  const written = { stdout: '', stderr: '' };
  const streams = ['stdout', 'stderr'] as const;
  const kept = streams.map((name) => process[name].write.bind(process[name]));
  streams.forEach((name) => {
    process[name].write = (text: string | Uint8Array) => {
      written[name] += typeof text === 'string' ? text : Buffer.from(text).toString();
      return true;
    };
  });
  const before = process.exitCode;
  process.exitCode = undefined;
  try {
    const { run } = (await import(commands)) as { readonly run: typeof commandLine };
    const code = await run(args);
    return { code, ...written };
  } finally {
    streams.forEach((name, i) => (process[name].write = kept[i]!));
    process.exitCode = before;
  }
}
