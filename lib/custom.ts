/**
 * What it takes to add an op from outside: `import { defineOp, layer, eager } from 'cortado/ops'`. docs/custom-ops.md shows
 * how. The definitions of Cortado's own ops are exported by `cortado`: `reluOp`, `eltwiseOp`, ….
 */
export { layer } from './graph.js';
export { eager, type Eager, type EagerOptions, type Operand } from './kernels.js';
export {
  defineOp,
  type Attributes,
  type Emitter,
  type GradientEmitter,
  type Op,
  type OutputSpec,
  type ParameterSpec,
} from './op.js';
export type { DType, NativeKernel, Ref, Script } from './program.js';
