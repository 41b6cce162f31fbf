/** Caffe's files: nets, weights, means and solver states, read and written as they are. */
export { readBinaryproto, writeBinaryproto } from './binaryproto.js';
export type { Blob } from './blob.js';
export { readCaffemodel, writeCaffemodel, type CaffeModel, type LayerWeights, type ReadOptions } from './caffemodel.js';
export { exportNet, formatNet, writeNet, type ExportedNet, type ExportOptions } from './export.js';
export {
  importNet,
  matchWeights,
  readNet,
  readNetText,
  toCaffemodel,
  type ImportedBlob,
  type ImportedLayer,
  type ImportedNet,
  type LoadedNet,
  type NetOptions,
  type Weights,
} from './import/index.js';
export { filterNet, type Circumstances } from './phase.js';
export { parseNet, readNetDefinition, readSolver } from './prototxt.js';
export type { Filler as FillerMessage, Layer, Net, Solver } from './schema.js';
export { caffeSnapshots, fromSolverState, resume, snapshot, toSolverState } from './snapshot.js';
export { exportSolver, formatSolver, importSolver, type SolverPlan } from './solver.js';
export { readSolverstate, writeSolverstate, type TrainingState } from './solverstate.js';
export { upgradeNet, upgradeSolver, type Warn } from './upgrade.js';
