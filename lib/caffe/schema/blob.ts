import { enumeration, many, message, one, packed } from '../../protobuf/schema.js';

/** Extents of a blob, outermost first. */
export const BlobShape = message('BlobShape', { dim: packed('int64', 1) });

/** A tensor. Files before 2014 give its four extents one by one instead of a shape. */
export const BlobProto = message('BlobProto', {
  num: one('int32', 1, 0),
  channels: one('int32', 2, 0),
  height: one('int32', 3, 0),
  width: one('int32', 4, 0),
  data: packed('float', 5),
  diff: packed('float', 6),
  shape: one(BlobShape, 7),
  double_data: packed('double', 8),
  double_diff: packed('double', 9),
});

/** Several blobs in one file. */
export const BlobProtoVector = message('BlobProtoVector', { blobs: many(BlobProto, 1) });

/** One labelled image of a database. */
export const Datum = message('Datum', {
  channels: one('int32', 1),
  height: one('int32', 2),
  width: one('int32', 3),
  data: one('bytes', 4),
  label: one('int32', 5),
  float_data: many('float', 6),
  encoded: one('bool', 7, false),
});

const VarianceNorm = enumeration('VarianceNorm', { FAN_IN: 0, FAN_OUT: 1, AVERAGE: 2 });

/** How a parameter is given its first values. */
export const FillerParameter = message('FillerParameter', {
  type: one('string', 1, 'constant'),
  value: one('float', 2, 0),
  min: one('float', 3, 0),
  max: one('float', 4, 1),
  mean: one('float', 5, 0),
  std: one('float', 6, 1),
  sparse: one('int32', 7, -1),
  variance_norm: one(VarianceNorm, 8, 'FAN_IN'),
});

/** Which implementation Caffe was asked to use; it never changes what is computed. */
export const Engine = enumeration('Engine', { DEFAULT: 0, CAFFE: 1, CUDNN: 2 });

/** What a pooling window yields. */
export const PoolMethod = enumeration('PoolMethod', { MAX: 0, AVE: 1, STOCHASTIC: 2 });

/** Whether parameters that share a name must agree in shape, or in count only. */
export const DimCheckMode = enumeration('DimCheckMode', { STRICT: 0, PERMISSIVE: 1 });
