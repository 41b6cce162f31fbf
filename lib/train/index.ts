export {
  CHECKPOINTS,
  listCheckpoints,
  loadCheckpoint,
  pruneCheckpoints,
  readCheckpoint,
  saveCheckpoint,
  type Checkpoint,
  type CheckpointFormat,
} from './checkpoint.js';
export { evaluate, type EvaluateOptions } from './evaluate.js';
export { Inputs, scoresOf, type InputNames } from './inputs.js';
export type { CheckpointOptions } from './keeper.js';
export { progressOf, restoreTraining, type Best, type Progress } from './progress.js';
export type { Source } from './feeder.js';
export type { Statistics } from './statistics.js';
export type { Evaluation, NotSaved, Saved, StepStatistics, TrainStep } from './step.js';
export { checkTraining, train, type EvaluationOptions, type TrainOptions } from './train.js';
