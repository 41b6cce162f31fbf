export { compile, type CompileOptions } from './compile.js';
export type { DeviceInputs, DeviceTensor } from './device-inputs.js';
export type { Device } from './device.js';
export { toDot } from './dot.js';
export * from './errors.js';
export type { Feed, ForeignTensor } from './feed.js';
export {
  bilinear,
  constant,
  gaussian,
  msra,
  positiveUnitball,
  uniform,
  xavier,
  type Filler,
  type VarianceNorm,
} from './fillers.js';
export {
  fixedInput,
  Graph,
  graph,
  GraphBuilder,
  input,
  Value,
  type InputSpec,
  type LayerOptions,
  type Node,
  type Parameter,
  type ParameterOptions,
} from './graph.js';
export type {
  BackwardOptions,
  BackwardResult,
  Model,
  ProfileOptions,
  RunOptions,
  StepOptions,
  StepResult,
} from './model.js';
export * from './models/index.js';
export * from './ops/index.js';
export type { Images } from './pixels.js';
export type { Depth, HalfSlots, Layouts, LrnPool, Passes, Precision, Takes, Target, Updates } from './passes/index.js';
export type { Phase } from './program.js';
export { Random } from './random.js';
export type { Pair, Shape } from './shape.js';
export type { MemoryUsage, StepTime } from './runtime.js';
export * from './solvers/index.js';
export * from './tasks/index.js';
export { formatSummary, summarize, type LayerRow, type Summary } from './table.js';
export { isTrained, trained, type Trained, type TrainedName } from './trained.js';
export { tensor, type Tensor, type TensorData } from './tensor.js';
