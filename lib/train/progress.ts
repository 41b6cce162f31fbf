import { FormatError } from '../errors.js';
import { applyCheckpoint, readCheckpoint } from './checkpoint.js';
import type { Position } from '../data/loader.js';

/** The best evaluation so far. */
export interface Best {
  readonly iteration: number;
  /** Of the metric that is watched. */
  readonly value: number;
}

/** How far a training has come, besides what the model knows: plain data, kept in its checkpoints. */
export interface Progress {
  /** Of the loader: `openLoader(dataset, { start: progress.position })` gives the next batch. */
  readonly position: Position;
  /** Those of the average that is shown, the oldest first. */
  readonly losses: readonly number[];
  /** Loss of the first iteration, by which an exploding one is told. */
  readonly firstLoss?: number;
  readonly best?: Best;
  /** Evaluations since then. */
  readonly stale: number;
}

const KEY = 'progress';

/** Adds what is known of a training to a checkpoint's notes. */
export function withProgress(notes: Readonly<Record<string, string>>, progress: Progress): Record<string, string> {
  return { ...notes, [KEY]: JSON.stringify(progress) };
}

/**
 * What a checkpoint's notes say of a training; undefined where they say nothing.
 * @throws {FormatError} when it cannot be read
 */
export function progressOf(notes: Readonly<Record<string, string>>, where = 'checkpoint'): Progress | undefined {
  const text = notes[KEY];
  if (text === undefined) return undefined;
  try {
    const progress = JSON.parse(text) as Progress;
    const { epoch, place } = progress.position;
    if (
      [epoch, place, progress.stale].every((n) => Number.isSafeInteger(n) && n >= 0) &&
      Array.isArray(progress.losses)
    )
      return progress;
  } catch {
    // Told below.
  }
  throw new FormatError(`${where}: expected to read how far the training had come, got ${text.slice(0, 80)}`);
}

/**
 * Puts a model where a checkpoint was taken, so that the training goes on to the same bits:
 *
 *     const progress = await restoreTraining(model, path);
 *     await using loader = await openLoader(dataset, { ...options, start: progress.position });
 *     for await (const step of train(model, loader, { epochs: 10, progress })) …
 *
 * @throws {FormatError | GraphError | ShapeError} for a file that is none of this net's, before anything is changed
 */
export async function restoreTraining(model: Parameters<typeof applyCheckpoint>[0], path: string): Promise<Progress> {
  const checkpoint = await readCheckpoint(path);
  const progress = progressOf(checkpoint.notes, path);
  if (!progress)
    throw new FormatError(`${path}: expected a checkpoint of train(), got one without a position in the data`);
  await applyCheckpoint(model, checkpoint, path);
  return progress;
}
