/**
 * npm test: tsx test/run.ts [file…]
 * Runs all tests or those of some files, as many files at once as there are cores, after those that must have the machine
 * for themselves.
 */
import { globSync } from 'tinyglobby';
import { runFiles } from './support/processes.js';
import { sanitized } from './support/sanitizer.js';
import { compiled } from './support/scripts.js';

/** What measures pauses, memory or the time that something takes, or watches on which cores threads are. */
const ALONE = ['cli/time', 'model/events', 'model/memory', 'model/runs', 'model/threads'].map(
  (name) => `test/${name}.test.ts`,
);

const named = process.argv.slice(2);
// Once, and not by the first of several at once.
compiled();
// The one that takes longest begins first: it runs the tests of kernels again.
const longest = 'test/isa.test.ts';
const files = globSync(named.length > 0 ? named : 'test/**/*.test.ts').sort(
  (a, b) => Number(b === longest) - Number(a === longest) || (a < b ? -1 : 1),
);
if (!(await runFiles(files, { alone: ALONE, timeout: sanitized ? 600_000 : 60_000 }))) process.exitCode = 1;
