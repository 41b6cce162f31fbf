import { enumeration, many, message, needed, one } from '../../protobuf/schema.js';
import { BlobShape, Engine, FillerParameter } from './blob.js';

// Layers that treat elements one by one, join or cut blobs, or give them another shape.

export const ReLUParameter = message('ReLUParameter', {
  negative_slope: one('float', 1, 0),
  engine: one(Engine, 2, 'DEFAULT'),
});
export const SigmoidParameter = message('SigmoidParameter', { engine: one(Engine, 1, 'DEFAULT') });
export const TanHParameter = message('TanHParameter', { engine: one(Engine, 1, 'DEFAULT') });
export const ELUParameter = message('ELUParameter', { alpha: one('float', 1, 1) });
export const SwishParameter = message('SwishParameter', { beta: one('float', 1, 1) });
export const ClipParameter = message('ClipParameter', { min: needed('float', 1), max: needed('float', 2) });
export const ThresholdParameter = message('ThresholdParameter', { threshold: one('float', 1, 0) });
export const DropoutParameter = message('DropoutParameter', { dropout_ratio: one('float', 1, 0.5) });

export const PReLUParameter = message('PReLUParameter', {
  filler: one(FillerParameter, 1),
  channel_shared: one('bool', 2, false),
});

/** y = (shift + scale · x) ^ power */
export const PowerParameter = message('PowerParameter', {
  power: one('float', 1, 1),
  scale: one('float', 2, 1),
  shift: one('float', 3, 0),
});

/** y = base ^ (shift + scale · x); a base of -1 stands for e. */
export const ExpParameter = message('ExpParameter', {
  base: one('float', 1, -1),
  scale: one('float', 2, 1),
  shift: one('float', 3, 0),
});

/** y = log_base(shift + scale · x); a base of -1 stands for e. */
export const LogParameter = message('LogParameter', {
  base: one('float', 1, -1),
  scale: one('float', 2, 1),
  shift: one('float', 3, 0),
});

export const ScaleParameter = message('ScaleParameter', {
  axis: one('int32', 1, 1),
  num_axes: one('int32', 2, 1),
  filler: one(FillerParameter, 3),
  bias_term: one('bool', 4, false),
  bias_filler: one(FillerParameter, 5),
});

export const BiasParameter = message('BiasParameter', {
  axis: one('int32', 1, 1),
  num_axes: one('int32', 2, 1),
  filler: one(FillerParameter, 3),
});

/** Unset, use_global_stats is true in phase TEST and false in phase TRAIN. */
export const BatchNormParameter = message('BatchNormParameter', {
  use_global_stats: one('bool', 1),
  moving_average_fraction: one('float', 2, 0.999),
  eps: one('float', 3, 1e-5),
});

export const MVNParameter = message('MVNParameter', {
  normalize_variance: one('bool', 1, true),
  across_channels: one('bool', 2, false),
  eps: one('float', 3, 1e-9),
});

const EltwiseOp = enumeration('EltwiseOp', { PROD: 0, SUM: 1, MAX: 2 });

export const EltwiseParameter = message('EltwiseParameter', {
  operation: one(EltwiseOp, 1, 'SUM'),
  coeff: many('float', 2),
  stable_prod_grad: one('bool', 3, true),
});

/** concat_dim is the older name of axis. */
export const ConcatParameter = message('ConcatParameter', {
  concat_dim: one('uint32', 1, 1),
  axis: one('int32', 2, 1),
});

/** slice_dim is the older name of axis. */
export const SliceParameter = message('SliceParameter', {
  slice_dim: one('uint32', 1, 1),
  slice_point: many('uint32', 2),
  axis: one('int32', 3, 1),
});

export const FlattenParameter = message('FlattenParameter', {
  axis: one('int32', 1, 1),
  end_axis: one('int32', 2, -1),
});

/** In shape, 0 copies an extent of the input and -1 takes what is left. */
export const ReshapeParameter = message('ReshapeParameter', {
  shape: one(BlobShape, 1),
  axis: one('int32', 2, 0),
  num_axes: one('int32', 3, -1),
});

export const TileParameter = message('TileParameter', { axis: one('int32', 1, 1), tiles: one('int32', 2) });

const ReductionOp = enumeration('ReductionOp', { SUM: 1, ASUM: 2, SUMSQ: 3, MEAN: 4 });

export const ReductionParameter = message('ReductionParameter', {
  operation: one(ReductionOp, 1, 'SUM'),
  axis: one('int32', 2, 0),
  coeff: one('float', 3, 1),
});

export const ArgMaxParameter = message('ArgMaxParameter', {
  out_max_val: one('bool', 1, false),
  top_k: one('uint32', 2, 1),
  axis: one('int32', 3),
});

export const SoftmaxParameter = message('SoftmaxParameter', {
  engine: one(Engine, 1, 'DEFAULT'),
  axis: one('int32', 2, 1),
});
