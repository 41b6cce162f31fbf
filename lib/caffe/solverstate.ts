import { readBinary, writePieces, type Source } from '../file.js';
import { split } from '../protobuf/records.js';
import { decodeMessage, encodeMessage, nest } from '../protobuf/wire.js';
import { checkBlob, decodeBlob, encodeBlob, type Blob } from './blob.js';
import { isHdf5, readSolverstateHdf5, writeSolverstateHdf5 } from './hdf5.js';
import { create, SolverState } from './schema.js';

/** Where a training stood. */
export interface TrainingState {
  /** Updates done. */
  readonly iteration: number;
  /** Path of the weights, as the file gives it. */
  readonly learnedNet: string;
  /** How many values of a multistep rate policy have passed. */
  readonly currentStep: number;
  /** Memory of the solver: one blob per learnable parameter, two blocks of them for Adam and AdaDelta. */
  readonly history: readonly Blob[];
}

const HISTORY = SolverState.fields.history.id;

/** Reads a `.solverstate` file, or a `.solverstate.h5`. @throws {FormatError} */
export async function readSolverstate(source: Source): Promise<TrainingState> {
  if (isHdf5(source)) return readSolverstateHdf5(source);
  const file = await readBinary(source);
  const { parts, rest } = split(file, [HISTORY]);
  const { iter = 0, learned_net = '', current_step = 0 } = decodeMessage(SolverState, rest, file.where);
  const history: Blob[] = [];
  for (const { value, origin } of parts) {
    history.push(await decodeBlob({ bytes: value, origin, where: `${file.where}: history ${history.length}` }));
  }
  return { iteration: iter, learnedNet: learned_net, currentStep: current_step, history };
}

/** Writes a `.solverstate` file that Caffe restores; HDF5 where the path ends in `.h5`. @throws {ShapeError} */
export async function writeSolverstate(path: string, state: TrainingState): Promise<void> {
  if (isHdf5(path)) return writeSolverstateHdf5(path, state);
  const { iteration, learnedNet, currentStep, history } = state;
  const message = create(SolverState, { iter: iteration, learned_net: learnedNet, current_step: currentStep });
  history.forEach((blob, index) => checkBlob(blob, `history ${index}`));
  await writePieces(path, [
    encodeMessage(SolverState, message, ({ id }) => id < HISTORY),
    ...history.flatMap((blob) => nest(HISTORY, encodeBlob(blob))),
    encodeMessage(SolverState, message, ({ id }) => id > HISTORY),
  ]);
}
