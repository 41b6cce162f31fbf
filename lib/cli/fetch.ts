import type { Command } from 'commander';
import { BadUsage, Failure, print, printJson, type SharedOptions } from './command.js';
import { download, isKnown } from './fetch/download.js';
import { KNOWN } from './fetch/known.js';
import { interruptible } from './interrupt.js';
import { showProgress } from './progress.js';

interface FetchOptions extends SharedOptions {
  readonly output?: string;
  readonly from?: string;
}

/** `cortado fetch`: published weights from their official addresses. */
export function register(command: Command): void {
  const names = Object.entries(KNOWN).map(([name, { address }]) => `  ${name}: ${address}`);
  command
    .argument('<name>', `one of ${Object.keys(KNOWN).join(', ')}`)
    .option('--output <file>', 'where to write (default: under its own name in this folder)')
    .option('--from <address>', 'another address of the same file')
    .addHelpText(
      'after',
      `\nWhat has come before an interruption stays in FILE.part, and the next call goes on from there.\n\n${names.join('\n')}`,
    )
    .action(fetchCommand);
}

async function fetchCommand(name: string, options: FetchOptions): Promise<void> {
  const known = Object.hasOwn(KNOWN, name) ? KNOWN[name]! : undefined;
  if (!known) throw new BadUsage(`<name>: expected one of ${Object.keys(KNOWN).join(', ')}, got "${name}"`);
  const { digest, model } = known;
  const file = options.output ?? known.file;
  const there = await isKnown(file, known);
  if (there === false)
    throw new Failure(`cortado: ${file}: is there, but is not ${known.file}; move it away, or name another --output`);
  const address = options.from ?? known.address;
  const got = there
    ? undefined
    : await show((signal, onProgress) => download(known, address, file, { signal, onProgress }));
  const checked = { algorithm: digest.algorithm, begins: digest.begins, source: digest.source };
  if (options.json) printJson({ name, file, address, model, checked, ...(got ?? { bytes: 0, resumed: 0 }) });
  else
    print(
      `${file}: ${got ? 'complete' : 'there already'}, ${digest.algorithm} ${got?.digest ?? `${digest.begins}…`}, checked against ${digest.source}`,
    );
}

type Work<T> = (signal: AbortSignal, onProgress: (bytes: number, total: number) => void) => Promise<T>;

async function show<T>(work: Work<T>): Promise<T> {
  const progress = showProgress('MB');
  try {
    const megabytes = (bytes: number): number => Math.round(bytes / 1e6);
    return await interruptible((signal) =>
      work(signal, (bytes, total) => progress.update(megabytes(bytes), megabytes(total))),
    );
  } finally {
    progress.stop();
  }
}
