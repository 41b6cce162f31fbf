import type { CliResult } from './cli.js';

/**
 * Runs the command line in this process: no second to start another. Not for two at once. Imported as commands import each
 * other, so that all share one set of error classes even where tests themselves are loaded by require().
 */
export async function inProcess(args: readonly string[]): Promise<CliResult> {
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
    const { run } = await import('../../lib/cli/commands.js');
    const code = await run(args);
    return { code, ...written };
  } finally {
    streams.forEach((name, i) => (process[name].write = kept[i]!));
    process.exitCode = before;
  }
}
