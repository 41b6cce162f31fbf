import { enumeration, many, message, one } from '../../protobuf/schema.js';
import { BlobProto, BlobShape } from './blob.js';
import { LayerParameter, NetState } from './layer.js';
import { V1LayerParameter } from './legacy.js';

/** A net: its layers (`layer`; `layers` in files before 2015) and, in old files, its inputs. */
export const NetParameter = message('NetParameter', {
  name: one('string', 1),
  layers: many(V1LayerParameter, 2),
  input: many('string', 3),
  input_dim: many('int32', 4),
  force_backward: one('bool', 5, false),
  state: one(NetState, 6),
  debug_info: one('bool', 7, false),
  input_shape: many(BlobShape, 8),
  layer: many(LayerParameter, 100),
});

const SnapshotFormat = enumeration('SnapshotFormat', { HDF5: 0, BINARYPROTO: 1 });
const SolverMode = enumeration('SolverMode', { CPU: 0, GPU: 1 });
const SolverType = enumeration('SolverType', { SGD: 0, NESTEROV: 1, ADAGRAD: 2, RMSPROP: 3, ADADELTA: 4, ADAM: 5 });

/** How a net is trained. solver_type is the older form of type. */
export const SolverParameter = message('SolverParameter', {
  train_net: one('string', 1),
  test_net: many('string', 2),
  test_iter: many('int32', 3),
  test_interval: one('int32', 4, 0),
  base_lr: one('float', 5),
  display: one('int32', 6),
  max_iter: one('int32', 7),
  lr_policy: one('string', 8),
  gamma: one('float', 9),
  power: one('float', 10),
  momentum: one('float', 11),
  weight_decay: one('float', 12),
  stepsize: one('int32', 13),
  snapshot: one('int32', 14, 0),
  snapshot_prefix: one('string', 15),
  snapshot_diff: one('bool', 16, false),
  solver_mode: one(SolverMode, 17, 'GPU'),
  device_id: one('int32', 18, 0),
  test_compute_loss: one('bool', 19, false),
  random_seed: one('int64', 20, -1),
  train_net_param: one(NetParameter, 21),
  test_net_param: many(NetParameter, 22),
  debug_info: one('bool', 23, false),
  net: one('string', 24),
  net_param: one(NetParameter, 25),
  train_state: one(NetState, 26),
  test_state: many(NetState, 27),
  snapshot_after_train: one('bool', 28, true),
  regularization_type: one('string', 29, 'L2'),
  solver_type: one(SolverType, 30, 'SGD'),
  delta: one('float', 31, 1e-8),
  test_initialization: one('bool', 32, true),
  average_loss: one('int32', 33, 1),
  stepvalue: many('int32', 34),
  clip_gradients: one('float', 35, -1),
  iter_size: one('int32', 36, 1),
  snapshot_format: one(SnapshotFormat, 37, 'BINARYPROTO'),
  rms_decay: one('float', 38, 0.99),
  momentum2: one('float', 39, 0.999),
  type: one('string', 40, 'SGD'),
  layer_wise_reduce: one('bool', 41, true),
  weights: many('string', 42),
});

/** Where training stood: iteration, weights file, and the optimizer's memory of every parameter. */
export const SolverState = message('SolverState', {
  iter: one('int32', 1),
  learned_net: one('string', 2),
  history: many(BlobProto, 3),
  current_step: one('int32', 4, 0),
});
