import { readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { FormatError } from '../../errors.js';

/** The course of one number. */
export interface Curve {
  /** `loss`, or what the net calls it. */
  readonly metric: string;
  readonly of: 'training' | 'test';
  readonly points: readonly { readonly iteration: number; readonly value: number }[];
}

/** What a training's log tells. */
export interface Log {
  readonly name: string;
  readonly curves: readonly Curve[];
}

/** A line of a log: `{ "type": "evaluation", "iteration": 500, "metrics": { "accuracy": 0.5, "loss": 1.4 } }`. */
interface Entry {
  /** `step` or `evaluation`; `begin` where a training starts, or goes on from an iteration. */
  readonly type?: unknown;
  readonly iteration?: unknown;
  readonly metrics?: unknown;
  /** Of a step, where the metrics have no loss. */
  readonly averageLoss?: unknown;
}

/**
 * Reads the curves of a log. Where a training began again or went on from an earlier iteration, what it did anew counts.
 * @throws {FormatError} for a file that is no log, naming the line; a last line that was cut short is passed over
 */
export async function readLog(path: string): Promise<Log> {
  const curves = new Map<string, Curve & { points: { iteration: number; value: number }[] }>();
  const add = (of: Curve['of'], metric: string, iteration: number, value: unknown): void => {
    if (typeof value !== 'number') return;
    const key = `${of} ${metric}`;
    if (!curves.has(key)) curves.set(key, { of, metric, points: [] });
    curves.get(key)!.points.push({ iteration, value });
  };
  for (const { type, iteration, metrics, averageLoss } of await entries(path)) {
    if (typeof iteration !== 'number') continue;
    if (type === 'begin') {
      for (const curve of curves.values()) curve.points = curve.points.filter((point) => point.iteration <= iteration);
    }
    if (type !== 'step' && type !== 'evaluation') continue;
    const of = type === 'step' ? 'training' : 'test';
    if (type === 'step') add(of, 'loss', iteration, averageLoss);
    for (const [name, value] of Object.entries(metrics ?? {})) add(of, name, iteration, value);
  }
  const found = [...curves.values()].filter(({ points }) => points.length > 0);
  if (found.length === 0) throw new FormatError(`${path}: expected a log with steps or evaluations, got none`);
  return { name: basename(path, extname(path)), curves: found };
}

async function entries(path: string): Promise<Entry[]> {
  const lines = (await text(path)).split('\n');
  // What follows the last line break is empty, or a line that a killed program could not finish.
  lines.pop();
  return lines.map((line, i) => {
    try {
      const entry: unknown = JSON.parse(line);
      if (typeof entry === 'object' && entry !== null) return entry;
    } catch {
      // Told below.
    }
    throw new FormatError(`${path}, line ${i + 1}: expected a JSON object`);
  });
}

async function text(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new FormatError(`${path}: cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}
