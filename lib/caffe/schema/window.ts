import { enumeration, many, message, one } from '../../protobuf/schema.js';
import { BlobShape, Engine, FillerParameter, PoolMethod } from './blob.js';

/** Convolution, Deconvolution, Im2col. One entry in pad, kernel_size, stride, dilation serves every axis. */
export const ConvolutionParameter = message('ConvolutionParameter', {
  num_output: one('uint32', 1),
  bias_term: one('bool', 2, true),
  pad: many('uint32', 3),
  kernel_size: many('uint32', 4),
  group: one('uint32', 5, 1),
  stride: many('uint32', 6),
  weight_filler: one(FillerParameter, 7),
  bias_filler: one(FillerParameter, 8),
  pad_h: one('uint32', 9, 0),
  pad_w: one('uint32', 10, 0),
  kernel_h: one('uint32', 11),
  kernel_w: one('uint32', 12),
  stride_h: one('uint32', 13),
  stride_w: one('uint32', 14),
  engine: one(Engine, 15, 'DEFAULT'),
  axis: one('int32', 16, 1),
  force_nd_im2col: one('bool', 17, false),
  dilation: many('uint32', 18),
});

const RoundMode = enumeration('RoundMode', { CEIL: 0, FLOOR: 1 });

export const PoolingParameter = message('PoolingParameter', {
  pool: one(PoolMethod, 1, 'MAX'),
  kernel_size: one('uint32', 2),
  stride: one('uint32', 3, 1),
  pad: one('uint32', 4, 0),
  kernel_h: one('uint32', 5),
  kernel_w: one('uint32', 6),
  stride_h: one('uint32', 7),
  stride_w: one('uint32', 8),
  pad_h: one('uint32', 9, 0),
  pad_w: one('uint32', 10, 0),
  engine: one(Engine, 11, 'DEFAULT'),
  global_pooling: one('bool', 12, false),
  round_mode: one(RoundMode, 13, 'CEIL'),
});

/** Spatial pyramid pooling. */
export const SPPParameter = message('SPPParameter', {
  pyramid_height: one('uint32', 1),
  pool: one(PoolMethod, 2, 'MAX'),
  engine: one(Engine, 6, 'DEFAULT'),
});

const NormRegion = enumeration('NormRegion', { ACROSS_CHANNELS: 0, WITHIN_CHANNEL: 1 });

export const LRNParameter = message('LRNParameter', {
  local_size: one('uint32', 1, 5),
  alpha: one('float', 2, 1),
  beta: one('float', 3, 0.75),
  norm_region: one(NormRegion, 4, 'ACROSS_CHANNELS'),
  k: one('float', 5, 1),
  engine: one(Engine, 6, 'DEFAULT'),
});

export const CropParameter = message('CropParameter', {
  axis: one('int32', 1, 2),
  offset: many('uint32', 2),
});

export const InnerProductParameter = message('InnerProductParameter', {
  num_output: one('uint32', 1),
  bias_term: one('bool', 2, true),
  weight_filler: one(FillerParameter, 3),
  bias_filler: one(FillerParameter, 4),
  axis: one('int32', 5, 1),
  transpose: one('bool', 6, false),
});

export const EmbedParameter = message('EmbedParameter', {
  num_output: one('uint32', 1),
  input_dim: one('uint32', 2),
  bias_term: one('bool', 3, true),
  weight_filler: one(FillerParameter, 4),
  bias_filler: one(FillerParameter, 5),
});

/** LSTM and RNN. */
export const RecurrentParameter = message('RecurrentParameter', {
  num_output: one('uint32', 1, 0),
  weight_filler: one(FillerParameter, 2),
  bias_filler: one(FillerParameter, 3),
  debug_info: one('bool', 4, false),
  expose_hidden: one('bool', 5, false),
});

/** A parameter that is a blob of the net. */
export const ParameterParameter = message('ParameterParameter', { shape: one(BlobShape, 1) });

export const PythonParameter = message('PythonParameter', {
  module: one('string', 1),
  layer: one('string', 2),
  param_str: one('string', 3, ''),
  share_in_parallel: one('bool', 4, false),
});
