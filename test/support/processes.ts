/** Tests by several processes of mocha at once. */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';

const mocha = createRequire(import.meta.url).resolve('mocha/bin/mocha.js');

/** Node's arguments that run files of tests, with so many milliseconds for each test. */
export const mochaWords = (timeout: number): string[] => [
  ...['--import', 'tsx', mocha],
  ...['--no-config', '--timeout', `${timeout}`],
];

/** However many cores there are: each process has its own copy of what it tests, and on a GPU a context. */
const MOST_JOBS = 12;
/** Files are dealt to more processes than run at a time, so that all cores have work until shortly before the end. */
const ROUNDS = 4;

/** How many processes run at a time. */
export const JOBS = Math.min(availableParallelism(), MOST_JOBS);

export interface Settings {
  /** Files that run before the others, one after another. */
  readonly alone: readonly string[];
  /** Milliseconds for a test that does not say how long it may take. */
  readonly timeout: number;
  /** What processes find in their environment that run together. */
  readonly together?: NodeJS.ProcessEnv;
}

interface Outcome {
  readonly good: boolean;
  readonly output: string;
}

/**
 * Runs files, first those that have to be alone, and prints what mocha says of them: what failed comes last, before the
 * sum of all. Each process is waited for: what it finds wrong as it ends fails the tests, too. @returns whether all is well
 */
export async function runFiles(
  files: readonly string[],
  { alone, timeout, together = {} }: Settings,
): Promise<boolean> {
  const [first, others] = [files.filter((file) => alone.includes(file)), files.filter((file) => !alone.includes(file))];
  const outcomes: Outcome[] = [];
  const run = async (some: readonly string[], env: NodeJS.ProcessEnv): Promise<void> => {
    const outcome = await runMocha([...mochaWords(timeout), ...some], env);
    outcomes.push(outcome);
    if (outcome.good) process.stdout.write(outcome.output);
  };
  if (first.length > 0) await run(first, {});
  const hands = deal(others, JOBS * ROUNDS);
  await Promise.all(
    Array.from({ length: JOBS }, async () => {
      for (let hand = hands.shift(); hand; hand = hands.shift()) await run(hand, together);
    }),
  );
  const bad = outcomes.filter(({ good }) => !good);
  const told = bad.map(({ output }) => atFailures(output));
  for (const part of [0, 1]) for (const parts of told) process.stdout.write(parts[part]!);
  if (outcomes.length > 1)
    for (const word of ['passing', 'pending', 'failing']) {
      const sum = outcomes.reduce((total, { output }) => total + counted(output, word), 0);
      if (sum > 0 || word === 'passing') console.log(`  ${sum} ${word}`);
    }
  return bad.length === 0;
}

/** What mocha says before it tells of what failed, and from there on. */
function atFailures(output: string): readonly [string, string] {
  const at = /^ +\d+ failing$/m.exec(output)?.index ?? output.length;
  return [output.slice(0, at), output.slice(at)];
}

/** Neighbours, which are alike, go to different hands. */
function deal(files: readonly string[], most: number): string[][] {
  const hands: string[][] = Array.from({ length: Math.min(files.length, most) }, () => []);
  files.forEach((file, i) => hands[i % hands.length]!.push(file));
  return hands;
}

/** How many tests did so, by the last line of mocha that says it. */
function counted(output: string, word: string): number {
  const lines = [...output.matchAll(new RegExp(`^ +(\\d+) ${word}`, 'gm'))];
  return Number(lines.at(-1)?.[1] ?? 0);
}

function runMocha(words: readonly string[], env: NodeJS.ProcessEnv): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, words, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const parts: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => parts.push(part));
    child.once('error', reject);
    child.once('close', (code, signal) => {
      const output = Buffer.concat(parts).toString();
      // Whoever ends the process from within a test does not pass the others.
      const told = /^ +\d+ passing/m.test(output);
      const end = told ? '' : `\n  ended before all tests had run: ${signal ?? `exit code ${code}`}\n`;
      resolve({ good: code === 0 && told, output: output + end });
    });
  });
}
