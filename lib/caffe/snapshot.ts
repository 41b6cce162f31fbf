import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { FormatError } from '../errors.js';
import { readTextFile, writePieces } from '../file.js';
import type { Model } from '../model.js';
import { count } from '../shape.js';
import type { SolverState } from '../solvers/index.js';
import type { CheckpointFormat } from '../train/checkpoint.js';
import { readCaffemodel, writeCaffemodel } from './caffemodel.js';
import { matchWeights, toCaffemodel, type ImportedNet } from './import/index.js';
import { readSolverstate, writeSolverstate, type TrainingState } from './solverstate.js';

type Layers = Pick<ImportedNet, 'layers'>;

/** The parameters in Caffe's order: those of the layers one after the other, shared ones where they are first. */
function learnable({ layers }: Layers): ImportedNet['layers'][number]['params'] {
  return [...new Set(layers.flatMap((layer) => layer.params))];
}

/** A `.solverstate` for a model of this net: `model.loadSolverState`. @throws {FormatError} when it is another net's */
export function toSolverState(net: Layers, state: TrainingState): SolverState {
  const parameters = learnable(net);
  const slots = state.history.length / parameters.length;
  if (!Number.isInteger(slots)) {
    throw new FormatError(
      `solver state: expected the history of ${parameters.length} parameters, once or twice, got ${state.history.length} blobs`,
    );
  }
  const tensors = parameters.map((value, i) => {
    const of = Array.from({ length: slots }, (_, slot) => state.history[slot * parameters.length + i]!);
    const bad = of.find((blob) => blob.data.length !== count(value.shape));
    if (!bad) return [value.name, of.map(({ data }) => ({ data, shape: value.shape }))] as const;
    throw new FormatError(
      `solver state: ${value.name}: expected ${count(value.shape)} numbers of history, got ${bad.data.length}; is it another net's?`,
    );
  });
  return { iteration: state.iteration, steps: state.currentStep, history: Object.fromEntries(tensors) };
}

/** The reverse: frozen parameters, which have no history here, get the zeros that Caffe keeps for them. */
export function fromSolverState(net: Layers, state: SolverState, learnedNet: string): TrainingState {
  const parameters = learnable(net);
  const slots = Math.max(1, ...Object.values(state.history).map((of) => of.length));
  const history = Array.from({ length: slots }, (_, slot) =>
    parameters.map(({ name, shape }) => ({
      shape,
      data: state.history[name]?.[slot]?.data ?? new Float32Array(count(shape)),
    })),
  );
  return { iteration: state.iteration, learnedNet, currentStep: state.steps, history: history.flat() };
}

/**
 * Snapshots as checkpoints of `train`: `STEM.caffemodel` and `STEM.solverstate`, from which Caffe goes on too, and beside
 * them `STEM.progress.json`, what Caffe does not keep: the position in the data and the state of random numbers.
 */
export function caffeSnapshots(
  net: Layers & Pick<ImportedNet, 'definition'>,
  { hdf5 = false }: { readonly hdf5?: boolean } = {},
): CheckpointFormat {
  const more = hdf5 ? '.h5' : '';
  const [model, state] = [`.caffemodel${more}`, `.solverstate${more}`];
  return {
    endings: [state, model, PROGRESS],
    save: (of, stem, notes) => write(of, net, { stem, model, state, notes }),
  };
}

/**
 * Writes `PREFIX_iter_N.caffemodel` and `PREFIX_iter_N.solverstate`, from which Caffe, or `resume`, goes on. Each is
 * complete or not there, the weights first.
 * @returns the path of the `.solverstate`
 * @throws {UsageError} without a solver, or between the runs of one iteration
 */
export async function snapshot(
  model: Saving,
  net: Layers & Pick<ImportedNet, 'definition'>,
  prefix: string,
): Promise<string> {
  return caffeSnapshots(net).save(model, `${prefix}_iter_${model.iteration}`, {});
}

type Saving = Pick<Model, 'weights' | 'solverState' | 'iteration'>;

interface Files {
  readonly stem: string;
  /** Endings. */
  readonly model: string;
  readonly state: string;
  readonly notes: Readonly<Record<string, string>>;
}

const PROGRESS = '.progress.json';

async function write(
  model: Pick<Model, 'weights' | 'solverState'>,
  net: Layers & Pick<ImportedNet, 'definition'>,
  { stem, model: ending, state: stateEnding, notes }: Files,
): Promise<string> {
  // Both at once, so that no run comes between them.
  const [weights, state] = await Promise.all([model.weights(), model.solverState()]);
  await writeCaffemodel(`${stem}${ending}`, toCaffemodel(net, weights));
  const { iteration, runs } = state;
  await writePieces(`${stem}${PROGRESS}`, [Buffer.from(`${JSON.stringify({ iteration, runs, notes })}\n`)]);
  await writeSolverstate(`${stem}${stateEnding}`, fromSolverState(net, state, `${stem}${ending}`));
  return `${stem}${stateEnding}`;
}

/**
 * Goes on from a `.solverstate`, Caffe's own too: loads it, and the weights that it names, which may also lie beside it.
 * @returns the notes that `caffeSnapshots` left beside it; empty where Caffe wrote it, which keeps neither the position in
 * the data nor random numbers
 * @throws {FormatError | GraphError | ShapeError} before anything is changed
 */
export async function resume(
  model: Pick<Model, 'load' | 'loadSolverState'>,
  net: Layers,
  path: string,
): Promise<Readonly<Record<string, string>>> {
  const state = await readSolverstate(path);
  const beside = join(dirname(path), basename(state.learnedNet));
  const weights = matchWeights(net, await readCaffemodel(existsSync(beside) ? beside : state.learnedNet));
  const { runs, notes } = await readProgress(path, state.iteration);
  await model.loadSolverState({ ...toSolverState(net, state), ...(runs !== undefined && { runs }) });
  await model.load(weights);
  return notes;
}

interface SavedProgress {
  readonly iteration?: number;
  readonly runs?: number;
  readonly notes: Readonly<Record<string, string>>;
}

/** What lies beside a `.solverstate`, where it is of the same iteration. */
async function readProgress(path: string, iteration: number): Promise<SavedProgress> {
  const beside = path.replace(/\.solverstate(\.h5)?$/, PROGRESS);
  if (beside === path || !existsSync(beside)) return { notes: {} };
  try {
    const saved = JSON.parse(await readTextFile(beside)) as SavedProgress;
    return saved.iteration === iteration ? saved : { notes: {} };
  } catch (cause) {
    throw new FormatError(`${beside}: expected JSON that says where the training was: remove it to go on without`, {
      cause,
    });
  }
}
