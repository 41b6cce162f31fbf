import { createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { BadUsage, note, print } from '../command.js';
import { Lines } from './lines.js';
import { Live } from './live.js';
import { Records } from './records.js';
import { all, type View } from './view.js';

export interface ViewOptions {
  /** JSON lines instead of plain ones. */
  readonly json: boolean;
  /** Also JSON lines into this file, behind what it has. */
  readonly log?: string;
  /** Plain and JSON lines show every so many iterations; 0: none. */
  readonly display: number;
}

/**
 * The views that fit: a live one where standard error is a terminal; lines on standard output, unless they would be on the
 * same terminal; a log.
 * @throws {BadUsage} when the log cannot be written
 */
export async function chooseView({ json, log, display }: ViewOptions): Promise<View> {
  const live = process.stderr.isTTY && process.env.TERM !== 'dumb';
  const views: View[] = log === undefined ? [] : [await logged(log, display)];
  if (json) views.push(new Records(print, display));
  else if (!live || !process.stdout.isTTY) views.push(new Lines(print, display));
  if (live) views.push(new Live(process.stderr));
  return all(views);
}

async function logged(path: string, display: number): Promise<View> {
  const file = await open(path, 'a').catch((cause: unknown) => {
    throw new BadUsage(`--log: cannot write ${path}: ${cause instanceof Error ? cause.message : String(cause)}`);
  });
  const stream = createWriteStream(path, { fd: file });
  // A full disk must not end a training: what is learned is worth more than its log.
  let broken = false;
  stream.on('error', ({ message }) => {
    broken = true;
    note(`--log: cannot write ${path}: ${message}; going on without it`);
  });
  const records = new Records((line) => {
    if (!broken) stream.write(`${line}\n`);
  }, display);
  return {
    begin: (beginning) => records.begin(beginning),
    step: (step) => records.step(step),
    say: (text) => records.say(text),
    async end(ending) {
      records.end(ending);
      stream.end();
      await finished(stream).catch(() => undefined); // told above
    },
  };
}
