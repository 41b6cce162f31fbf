import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { FormatError } from '../errors.js';
import { readSafetensors, writeSafetensors, type Safetensors } from '../formats/safetensors.js';
import type { Model } from '../model.js';
import { format } from '../shape.js';
import type { SolverState } from '../solvers/index.js';
import type { Tensor } from '../tensor.js';

/** All that a training needs to go on to the same bits. */
export interface Checkpoint {
  readonly weights: Readonly<Record<string, Tensor>>;
  readonly state: SolverState;
  /** Free text by key: the position in the data, say. */
  readonly notes: Readonly<Record<string, string>>;
}

type Saving = Pick<Model, 'weights' | 'solverState'>;
type Loading = Pick<Model, 'load' | 'loadSolverState' | 'graph'>;

/** What checkpoints are written as. */
export interface CheckpointFormat {
  /**
   * Writes the files of a checkpoint, named `stem` and one of `endings` each. The last one to be written is the one to go
   * on from: where it is, all are.
   * @returns its path
   */
  save(model: Saving, stem: string, notes: Checkpoint['notes']): Promise<string>;
  /** Of its files, that of the one to go on from first. */
  readonly endings: readonly [string, ...string[]];
}

const KIND = 'cortado-checkpoint-1';
const HISTORY = /^history\/(\d+)\/(.+)$/;
const ENDING = '.safetensors';

/** One safetensors file each. */
export const CHECKPOINTS: CheckpointFormat = { save: writeCheckpoint, endings: [ENDING] };

/**
 * Writes `PREFIX_iter_N.safetensors`: weights, the solver's history, iteration and rate, and what random numbers hang
 * on. The file is complete and safe on the disk, or not there. Works between any two steps, also while one is queued.
 * @returns its path
 * @throws {UsageError} without a solver, or between the runs of one iteration; and what the file system throws
 */
export async function saveCheckpoint(model: Saving, prefix: string, notes: Checkpoint['notes'] = {}): Promise<string> {
  const content = await contentOf(model, notes);
  return write(`${prefix}_iter_${content.iteration}`, content);
}

async function writeCheckpoint(model: Saving, stem: string, notes: Checkpoint['notes']): Promise<string> {
  return write(stem, await contentOf(model, notes));
}

async function contentOf(model: Saving, notes: Checkpoint['notes']): Promise<Safetensors & { iteration: number }> {
  // Both at once, so that no run comes between them.
  const [weights, state] = await Promise.all([model.weights(), model.solverState()]);
  const { history, ...numbers } = state;
  const past = Object.entries(history).flatMap(([name, of]) => of.map((t, i) => [`history/${i}/${name}`, t] as const));
  return {
    iteration: state.iteration,
    tensors: { ...weights, ...Object.fromEntries(past) },
    metadata: { ...notes, kind: KIND, solver: JSON.stringify(numbers) },
  };
}

async function write(stem: string, content: Safetensors): Promise<string> {
  const path = `${stem}${ENDING}`;
  await writeSafetensors(path, content);
  return path;
}

/** Reads a checkpoint. @throws {FormatError} for a file that is none */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  const { tensors, metadata } = await readSafetensors(path);
  const { kind, solver = '', ...notes } = metadata;
  if (kind !== KIND) throw new FormatError(`${path}: expected a checkpoint, got other tensors`);
  const weights: Record<string, Tensor> = {};
  const history: Record<string, Tensor[]> = {};
  for (const [name, { data, shape }] of Object.entries(tensors)) {
    if (!(data instanceof Float32Array)) throw new FormatError(`${path}: ${name}: expected float32`);
    const [, slot, of] = HISTORY.exec(name) ?? [];
    if (of === undefined) weights[name] = { data, shape };
    else (history[of] ??= [])[Number(slot)] = { data, shape };
  }
  return { weights, state: { ...readNumbers(solver, path), history }, notes };
}

/**
 * Puts a model where the checkpoint was taken; its seed and its solver must be the same.
 * @returns the notes
 * @throws {FormatError | GraphError | ShapeError} before anything is changed, when it is another net's
 */
export async function loadCheckpoint(model: Loading, path: string): Promise<Checkpoint['notes']> {
  const checkpoint = await readCheckpoint(path);
  await applyCheckpoint(model, checkpoint, path);
  return checkpoint.notes;
}

/** The same with one that has been read; `path` names it in errors. */
export async function applyCheckpoint(model: Loading, { weights, state }: Checkpoint, path: string): Promise<void> {
  for (const { name, shape } of model.graph.parameters) {
    const found = Object.hasOwn(weights, name) ? format(weights[name]!.shape) : 'none';
    if (found !== format(shape))
      throw new FormatError(
        `${path}: ${name}: expected weights of shape ${format(shape)}, got ${found}; is it another net's?`,
      );
  }
  await model.loadSolverState(state);
  await model.load(weights);
}

/** Checkpoints of a prefix, the newest first: the files to go on from. */
export async function listCheckpoints(prefix: string, ending: string = ENDING): Promise<readonly string[]> {
  const found = await numbered(prefix, [ending]);
  return found.sort((a, b) => b.iteration - a.iteration).map(({ path }) => path);
}

/** Deletes all but the newest `keep` of a prefix, and what a killed process left unfinished. */
export async function pruneCheckpoints(
  prefix: string,
  keep: number,
  endings: CheckpointFormat['endings'] = CHECKPOINTS.endings,
): Promise<void> {
  const folder = dirname(prefix);
  const found = await numbered(prefix, endings);
  const whole = found.filter(({ ending }) => ending === endings[0]).map(({ iteration }) => iteration);
  const oldest = whole.sort((a, b) => b - a)[keep - 1] ?? -1;
  const old = found.filter(({ iteration }) => iteration < oldest);
  const starts = ['_iter_', '_best.'].map((part) => `${basename(prefix)}${part}`);
  const unfinished = (await readdir(folder)).filter(
    (name) => starts.some((start) => name.startsWith(start)) && name.endsWith('.part'),
  );
  // Those to go on from first: what is left of a checkpoint must not look whole.
  for (const ending of endings)
    await Promise.all(old.filter((file) => file.ending === ending).map(({ path }) => rm(path, { force: true })));
  await Promise.all(unfinished.map((name) => rm(join(folder, name), { force: true })));
}

interface Numbered {
  readonly path: string;
  readonly iteration: number;
  readonly ending: string;
}

async function numbered(prefix: string, endings: readonly string[]): Promise<Numbered[]> {
  const folder = dirname(prefix);
  const start = `${basename(prefix)}_iter_`;
  return (await readdir(folder)).flatMap((name): Numbered[] => {
    const number = name.startsWith(start) ? /^\d+/.exec(name.slice(start.length))?.[0] : undefined;
    const ending = number && name.slice(start.length + number.length);
    if (!ending || !endings.includes(ending)) return [];
    return [{ path: join(folder, name), iteration: Number(number), ending }];
  });
}

function readNumbers(text: string, path: string): Omit<SolverState, 'history'> {
  try {
    return JSON.parse(text) as Omit<SolverState, 'history'>; // checked when it is loaded
  } catch (cause) {
    throw new FormatError(`${path}: expected the solver's numbers, got none`, { cause });
  }
}
