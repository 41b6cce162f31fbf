import { enumeration, many, message, one } from '../../protobuf/schema.js';
import { BlobProto, DimCheckMode } from './blob.js';
import * as data from './data.js';
import * as loss from './loss.js';
import * as pointwise from './pointwise.js';
import * as window from './window.js';

export const Phase = enumeration('Phase', { TRAIN: 0, TEST: 1 });

/** The circumstances a net is built for. */
export const NetState = message('NetState', {
  phase: one(Phase, 1, 'TEST'),
  level: one('int32', 2, 0),
  stage: many('string', 3),
});

/** Circumstances under which a layer takes part or stays out; what is unset does not matter. */
export const NetStateRule = message('NetStateRule', {
  phase: one(Phase, 1),
  min_level: one('int32', 2),
  max_level: one('int32', 3),
  stage: many('string', 4),
  not_stage: many('string', 5),
});

/** Training of one parameter blob; blobs of one name are one parameter. */
export const ParamSpec = message('ParamSpec', {
  name: one('string', 1),
  share_mode: one(DimCheckMode, 2),
  lr_mult: one('float', 3, 1),
  decay_mult: one('float', 4, 1),
});

/** A layer of a net: what it reads, what it makes, and the settings of its type. */
export const LayerParameter = message('LayerParameter', {
  name: one('string', 1),
  type: one('string', 2),
  bottom: many('string', 3),
  top: many('string', 4),
  loss_weight: many('float', 5),
  param: many(ParamSpec, 6),
  blobs: many(BlobProto, 7),
  include: many(NetStateRule, 8),
  exclude: many(NetStateRule, 9),
  phase: one(Phase, 10),
  propagate_down: many('bool', 11),
  transform_param: one(data.TransformationParameter, 100),
  loss_param: one(loss.LossParameter, 101),
  accuracy_param: one(loss.AccuracyParameter, 102),
  argmax_param: one(pointwise.ArgMaxParameter, 103),
  concat_param: one(pointwise.ConcatParameter, 104),
  contrastive_loss_param: one(loss.ContrastiveLossParameter, 105),
  convolution_param: one(window.ConvolutionParameter, 106),
  data_param: one(data.DataParameter, 107),
  dropout_param: one(pointwise.DropoutParameter, 108),
  dummy_data_param: one(data.DummyDataParameter, 109),
  eltwise_param: one(pointwise.EltwiseParameter, 110),
  exp_param: one(pointwise.ExpParameter, 111),
  hdf5_data_param: one(data.HDF5DataParameter, 112),
  hdf5_output_param: one(data.HDF5OutputParameter, 113),
  hinge_loss_param: one(loss.HingeLossParameter, 114),
  image_data_param: one(data.ImageDataParameter, 115),
  infogain_loss_param: one(loss.InfogainLossParameter, 116),
  inner_product_param: one(window.InnerProductParameter, 117),
  lrn_param: one(window.LRNParameter, 118),
  memory_data_param: one(data.MemoryDataParameter, 119),
  mvn_param: one(pointwise.MVNParameter, 120),
  pooling_param: one(window.PoolingParameter, 121),
  power_param: one(pointwise.PowerParameter, 122),
  relu_param: one(pointwise.ReLUParameter, 123),
  sigmoid_param: one(pointwise.SigmoidParameter, 124),
  softmax_param: one(pointwise.SoftmaxParameter, 125),
  slice_param: one(pointwise.SliceParameter, 126),
  tanh_param: one(pointwise.TanHParameter, 127),
  threshold_param: one(pointwise.ThresholdParameter, 128),
  window_data_param: one(data.WindowDataParameter, 129),
  python_param: one(window.PythonParameter, 130),
  prelu_param: one(pointwise.PReLUParameter, 131),
  spp_param: one(window.SPPParameter, 132),
  reshape_param: one(pointwise.ReshapeParameter, 133),
  log_param: one(pointwise.LogParameter, 134),
  flatten_param: one(pointwise.FlattenParameter, 135),
  reduction_param: one(pointwise.ReductionParameter, 136),
  embed_param: one(window.EmbedParameter, 137),
  tile_param: one(pointwise.TileParameter, 138),
  batch_norm_param: one(pointwise.BatchNormParameter, 139),
  elu_param: one(pointwise.ELUParameter, 140),
  bias_param: one(pointwise.BiasParameter, 141),
  scale_param: one(pointwise.ScaleParameter, 142),
  input_param: one(data.InputParameter, 143),
  crop_param: one(window.CropParameter, 144),
  parameter_param: one(window.ParameterParameter, 145),
  recurrent_param: one(window.RecurrentParameter, 146),
  swish_param: one(pointwise.SwishParameter, 147),
  clip_param: one(pointwise.ClipParameter, 148),
});
