import { dirname } from 'node:path';
import { access, constants, statfs } from 'node:fs/promises';
import { FormatError, UsageError } from '../errors.js';
import type { Model } from '../model.js';
import { CHECKPOINTS, pruneCheckpoints, type CheckpointFormat } from './checkpoint.js';
import type { NotSaved, Saved } from './step.js';

/** When checkpoints are written, and where. */
export interface CheckpointOptions {
  /** Path and first part of the names of the files: `runs/alexnet` makes `runs/alexnet_iter_1000.safetensors`. */
  readonly prefix: string;
  /** Iterations between two. Default: an epoch. */
  readonly every?: number;
  /** Whether one more is written at the end; one that is stopped before it writes one anyhow. Default true. */
  readonly atEnd?: boolean;
  /** How many are kept, the newest. Default 3. */
  readonly keep?: number;
  /** Whether the best one by evaluation is kept too, as `PREFIX_best`. Default true. */
  readonly best?: boolean;
  /** What is written. Default: one safetensors file. */
  readonly format?: CheckpointFormat;
  /** Free text by key that goes into each. */
  readonly notes?: Readonly<Record<string, string>>;
}

/** Writes a training's checkpoints and throws old ones away. */
export class Keeper {
  readonly #options: Required<Omit<CheckpointOptions, 'every' | 'atEnd'>>;
  /** Of the newest. */
  #iteration = -1;

  constructor(
    private readonly model: Model,
    { prefix, keep = 3, best = true, format = CHECKPOINTS, notes = {} }: CheckpointOptions,
  ) {
    if (!(keep >= 1)) throw new UsageError(`keep: expected at least 1 checkpoint, got ${keep}`);
    this.#options = { prefix, keep, best, format, notes };
  }

  /** Whether the model has learned since the newest. */
  get due(): boolean {
    return this.model.iteration !== this.#iteration;
  }

  get keepsBest(): boolean {
    return this.#options.best;
  }

  /** @throws {FormatError} when the folder is not there, may not be written to, or has no room for a single checkpoint */
  async check(): Promise<void> {
    const { prefix } = this.#options;
    const folder = dirname(prefix);
    const { bavail, bsize } = await access(folder, constants.W_OK)
      .then(() => statfs(folder))
      .catch((cause: unknown) => {
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new FormatError(`${prefix}: checkpoints cannot be written there: ${reason}`, { cause });
      });
    const { parameters, history } = this.model.memoryUsage();
    if (bavail * bsize >= parameters + history) return;
    throw new FormatError(
      `${prefix}: expected room for checkpoints of ${parameters + history} bytes, got ${bavail * bsize} bytes free`,
    );
  }

  /** One of the last. What goes wrong is told, not thrown: what has been learned is worth more. */
  async save(notes: Readonly<Record<string, string>>): Promise<Saved | NotSaved> {
    const { prefix, keep, format } = this.#options;
    const { iteration } = this.model;
    const saved = await this.#write(`${prefix}_iter_${iteration}`, notes);
    if ('error' in saved) return saved;
    this.#iteration = iteration;
    // An old file that stays is no reason to stop.
    if (keep !== Infinity) await pruneCheckpoints(prefix, keep, format.endings).catch(() => undefined);
    return saved;
  }

  /** The best one. */
  saveBest(notes: Readonly<Record<string, string>>): Promise<Saved | NotSaved> {
    return this.#write(`${this.#options.prefix}_best`, notes);
  }

  async #write(stem: string, notes: Readonly<Record<string, string>>): Promise<Saved | NotSaved> {
    const started = performance.now();
    try {
      const path = await this.#options.format.save(this.model, stem, { ...this.#options.notes, ...notes });
      return { path, seconds: (performance.now() - started) / 1000 };
    } catch (error) {
      return { error: error instanceof Error ? error : new Error(String(error)) };
    }
  }
}
