import type { Command } from 'commander';
import { CommanderError, InvalidArgumentError } from 'commander';
import { gpuIndex } from '../device.js';
import { CortadoError } from '../errors.js';

/** What every command takes. */
export interface SharedOptions {
  readonly json?: boolean;
  readonly verbose?: boolean;
}

/** What commands that compute take besides; see computing(). */
export interface ComputeOptions extends SharedOptions {
  readonly device: string;
  readonly threads?: number;
}

/** A wrong use of the command line that commander cannot see by itself: exit code 2. */
export class BadUsage extends Error {}

/** A failure already told in full, for which no stack is ever of use: exit code 1. */
export class Failure extends Error {}

/** Adds the options that all commands share. */
export function sharing(command: Command): Command {
  return command
    .option('--json', 'print the result as JSON')
    .option('--verbose', 'tell more on standard error; show stacks');
}

/** Adds --device and --threads. */
export function computing(command: Command): Command {
  return command
    .option('--device <name>', 'where to compute: auto, cpu, cuda or cuda:1', deviceName, 'auto')
    .option('--threads <n>', 'CPU threads (default: the physical cores)', positiveInteger);
}

/** Argument parser for commander: a device that could be. */
function deviceName(text: string): string {
  if (text === 'auto' || text === 'cpu' || gpuIndex(text) !== undefined) return text;
  throw new InvalidArgumentError('expected auto, cpu, cuda or cuda:<n>.');
}

/** Argument parser for commander: a whole number of at least 1. */
export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError(`expected a whole number of at least 1.`);
  }
  return value;
}

/** The values of an option that takes one extent, or height and width. @throws {BadUsage} */
export function extents(option: string, words: readonly string[]): number | readonly [height: number, width: number] {
  if (words.length > 2 || !words.every((word) => /^[1-9]\d{0,4}$/.test(word))) {
    throw new BadUsage(
      `${option}: expected one or two whole numbers, at the end of the line, got '${words.join(' ')}'`,
    );
  }
  const [height, width] = words.map(Number) as [number, number?];
  return width === undefined ? height : [height, width];
}

/** Writes a result, and only a result, to standard output. */
export function print(text: string): void {
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** Writes progress and remarks to standard error. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** The exit code for what a command threw, after telling it on standard error. */
export function report(error: unknown, verbose: boolean): 0 | 1 | 2 {
  if (error instanceof CommanderError) {
    // Commander has said what was wrong, or printed the help that was asked for.
    return error.exitCode === 0 ? 0 : 2;
  }
  const failure = error instanceof Error ? error : new Error(String(error));
  const plain =
    failure instanceof Failure ? failure.message : `cortado: ${failure.message.replaceAll(/\s*\n\s*/g, '; ')}`;
  note(verbose && !(failure instanceof Failure) ? (failure.stack ?? plain) : plain);
  const usage = error instanceof BadUsage || (error instanceof CortadoError && error.code === 'USAGE');
  return usage ? 2 : 1;
}
