import { open, readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { FormatError } from '../errors.js';
import { readSafetensors, writeSafetensors } from '../formats/safetensors.js';
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

const KIND = 'cortado-checkpoint-1';
const HISTORY = /^history\/(\d+)\/(.+)$/;
const NUMBERED = /_iter_(\d+)\.safetensors$/;

/**
 * Writes `PREFIX_iter_N.safetensors`: weights, the solver's history, iteration and rate, and what random numbers hang
 * on. The file is complete and safe on the disk, or not there. Works between any two steps, also while one is queued.
 * @returns its path
 * @throws {UsageError} without a solver, or between the runs of one iteration; and what the file system throws
 */
export async function saveCheckpoint(model: Saving, prefix: string, notes: Checkpoint['notes'] = {}): Promise<string> {
  // Both at once, so that no run comes between them.
  const [weights, state] = await Promise.all([model.weights(), model.solverState()]);
  const { history, ...numbers } = state;
  const past = Object.entries(history).flatMap(([name, of]) => of.map((t, i) => [`history/${i}/${name}`, t] as const));
  const path = `${prefix}_iter_${state.iteration}.safetensors`;
  await writeSafetensors(path, {
    tensors: { ...weights, ...Object.fromEntries(past) },
    metadata: { ...notes, kind: KIND, solver: JSON.stringify(numbers) },
  });
  await settle(dirname(path));
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
  const { weights, state, notes } = await readCheckpoint(path);
  for (const { name, shape } of model.graph.parameters) {
    const found = Object.hasOwn(weights, name) ? format(weights[name]!.shape) : 'none';
    if (found !== format(shape))
      throw new FormatError(
        `${path}: ${name}: expected weights of shape ${format(shape)}, got ${found}; is it another net's?`,
      );
  }
  await model.loadSolverState(state);
  await model.load(weights);
  return notes;
}

/** Checkpoints of a prefix, the newest first. */
export async function listCheckpoints(prefix: string): Promise<readonly string[]> {
  const folder = dirname(prefix);
  const start = `${basename(prefix)}_iter_`;
  const names = (await readdir(folder)).filter((name) => name.startsWith(start) && NUMBERED.test(name));
  const iteration = (name: string): number => Number(NUMBERED.exec(name)![1]);
  return names.sort((a, b) => iteration(b) - iteration(a)).map((name) => join(folder, name));
}

/** Deletes all but the newest `keep` of a prefix, and what a killed process left unfinished. */
export async function pruneCheckpoints(prefix: string, keep: number): Promise<void> {
  const folder = dirname(prefix);
  const old = (await listCheckpoints(prefix)).slice(keep);
  const unfinished = (await readdir(folder)).filter(
    (name) => name.startsWith(`${basename(prefix)}_iter_`) && name.endsWith('.part'),
  );
  await Promise.all([...old, ...unfinished.map((name) => join(folder, name))].map((path) => rm(path, { force: true })));
}

function readNumbers(text: string, path: string): Omit<SolverState, 'history'> {
  try {
    return JSON.parse(text) as Omit<SolverState, 'history'>; // checked when it is loaded
  } catch (cause) {
    throw new FormatError(`${path}: expected the solver's numbers, got none`, { cause });
  }
}

/** After a power failure a renamed file is surely there only when its folder has been written too. */
async function settle(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  await using handle = await open(folder);
  await handle.sync();
}
