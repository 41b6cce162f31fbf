import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { FormatError } from '../errors.js';
import type { Model } from '../model.js';
import { count } from '../shape.js';
import type { SolverState } from '../solvers/index.js';
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
 * Writes `PREFIX_iter_N.caffemodel` and `PREFIX_iter_N.solverstate`, from which Caffe, or `resume`, goes on. Each is
 * complete or not there, the weights first.
 * @returns the path of the `.solverstate`
 * @throws {UsageError} without a solver, or between the runs of one iteration
 */
export async function snapshot(
  model: Pick<Model, 'weights' | 'solverState'>,
  net: Layers & Pick<ImportedNet, 'definition'>,
  prefix: string,
): Promise<string> {
  // Both at once, so that no run comes between them.
  const [weights, state] = await Promise.all([model.weights(), model.solverState()]);
  const path = `${prefix}_iter_${state.iteration}`;
  await writeCaffemodel(`${path}.caffemodel`, toCaffemodel(net, weights));
  await writeSolverstate(`${path}.solverstate`, fromSolverState(net, state, `${path}.caffemodel`));
  return `${path}.solverstate`;
}

/**
 * Goes on from a `.solverstate`, Caffe's own too: loads it, and the weights that it names, which may also lie beside it.
 * Caffe keeps neither the position in the data nor random numbers.
 * @throws {FormatError | GraphError | ShapeError} before anything is changed
 */
export async function resume(model: Pick<Model, 'load' | 'loadSolverState'>, net: Layers, path: string): Promise<void> {
  const state = await readSolverstate(path);
  const beside = join(dirname(path), basename(state.learnedNet));
  const weights = matchWeights(net, await readCaffemodel(existsSync(beside) ? beside : state.learnedNet));
  await model.loadSolverState(toSolverState(net, state));
  await model.load(weights);
}
