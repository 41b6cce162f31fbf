import { SingleBar } from 'cli-progress';
import { note } from './command.js';

/** Shows how far long work has come: a bar on a terminal, elsewhere a line now and then. */
export interface Progress {
  update(done: number, total: number): void;
  /** Says something without tearing the bar. */
  note(text: string): void;
  stop(): void;
}

/** Milliseconds between two lines. */
const INTERVAL = 10_000;

/** `unit` says what is counted: `pictures`. Everything goes to standard error. */
export function showProgress(unit: string): Progress {
  return process.stderr.isTTY ? barOf(unit) : linesOf(unit);
}

function barOf(unit: string): Progress {
  const bar = new SingleBar({
    format: `{bar} {value}/{total} ${unit}  {percentage}%  {eta_formatted}`,
    hideCursor: true,
  });
  return {
    update(done, total) {
      if (bar.isActive) bar.update(done);
      else bar.start(total, done);
    },
    note(text) {
      // The bar is drawn again behind the text.
      process.stderr.write('\r\x1b[K');
      note(text);
    },
    stop: () => bar.stop(),
  };
}

function linesOf(unit: string): Progress {
  let last = performance.now();
  return {
    update(done, total) {
      if (performance.now() - last < INTERVAL) return;
      last = performance.now();
      note(`${done}/${total} ${unit}`);
    },
    note,
    stop() {},
  };
}
