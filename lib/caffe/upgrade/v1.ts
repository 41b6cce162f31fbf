import { FormatError } from '../../errors.js';
import {
  create,
  LayerParameter,
  ParamSpec,
  TransformationParameter,
  type Layer,
  type Param,
  type V1Layer,
} from '../schema.js';
import { at, place, positionOf } from '../text/position.js';
import type { Warn } from '../upgrade.js';

const TYPES: Readonly<Record<NonNullable<V1Layer['type']>, string>> = {
  NONE: '',
  ABSVAL: 'AbsVal',
  ACCURACY: 'Accuracy',
  ARGMAX: 'ArgMax',
  BNLL: 'BNLL',
  CONCAT: 'Concat',
  CONTRASTIVE_LOSS: 'ContrastiveLoss',
  CONVOLUTION: 'Convolution',
  DATA: 'Data',
  DECONVOLUTION: 'Deconvolution',
  DROPOUT: 'Dropout',
  DUMMY_DATA: 'DummyData',
  ELTWISE: 'Eltwise',
  EUCLIDEAN_LOSS: 'EuclideanLoss',
  EXP: 'Exp',
  FLATTEN: 'Flatten',
  HDF5_DATA: 'HDF5Data',
  HDF5_OUTPUT: 'HDF5Output',
  HINGE_LOSS: 'HingeLoss',
  IM2COL: 'Im2col',
  IMAGE_DATA: 'ImageData',
  INFOGAIN_LOSS: 'InfogainLoss',
  INNER_PRODUCT: 'InnerProduct',
  LRN: 'LRN',
  MEMORY_DATA: 'MemoryData',
  MULTINOMIAL_LOGISTIC_LOSS: 'MultinomialLogisticLoss',
  MVN: 'MVN',
  POOLING: 'Pooling',
  POWER: 'Power',
  RELU: 'ReLU',
  SIGMOID: 'Sigmoid',
  SIGMOID_CROSS_ENTROPY_LOSS: 'SigmoidCrossEntropyLoss',
  SILENCE: 'Silence',
  SLICE: 'Slice',
  SOFTMAX: 'Softmax',
  SOFTMAX_LOSS: 'SoftmaxWithLoss',
  SPLIT: 'Split',
  TANH: 'TanH',
  THRESHOLD: 'Threshold',
  WINDOW_DATA: 'WindowData',
};

/** Settings that keep their name and meaning. */
const KEPT = Object.keys(LayerParameter.fields).filter((name) => name.endsWith('_param'));

/** A layer of the second form in the present one. */
export function upgradeV1(old: V1Layer, warn: Warn): Layer {
  if (old.layer) warn(`${at(old)}settings of the first form beside those of the second: ignored`);
  const { name, bottom, top, include, exclude, loss_weight, blobs } = old;
  const made = create(LayerParameter, { bottom, top, include, exclude, loss_weight, blobs });
  if (name !== undefined) made.name = name;
  if (old.type !== undefined) made.type = TYPES[old.type];
  made.param = params(old);
  const settings: Record<string, unknown> = old;
  for (const each of KEPT) if (settings[each] !== undefined) Object.assign(made, { [each]: settings[each] });
  place(made, positionOf(old));
  return made;
}

/** Names, share modes, rates and decays were four lists side by side. */
function params(old: V1Layer): Param[] {
  const length = Math.max(old.param.length, old.blob_share_mode.length, old.blobs_lr.length, old.weight_decay.length);
  if (length > 1000) throw new FormatError(`${at(old)}expected at most 1000 parameters of a layer, got ${length}`);
  return Array.from({ length }, (_, i) => {
    const made = create(ParamSpec);
    const [name, mode, rate, decay] = [old.param[i], old.blob_share_mode[i], old.blobs_lr[i], old.weight_decay[i]];
    if (name !== undefined) made.name = name;
    if (mode !== undefined) made.share_mode = mode;
    if (rate !== undefined) made.lr_mult = rate;
    if (decay !== undefined) made.decay_mult = decay;
    return made;
  });
}

const DATA = { DATA: 'data_param', IMAGE_DATA: 'image_data_param', WINDOW_DATA: 'window_data_param' } as const;

/** What is done to images has moved from the data layers to a message of its own. */
export function moveTransformation(old: V1Layer): V1Layer {
  const home = DATA[old.type as keyof typeof DATA] as (typeof DATA)[keyof typeof DATA] | undefined;
  const settings = home && old[home];
  if (!settings) return old;
  const { scale, mean_file, crop_size, mirror, ...kept } = settings;
  const moved = Object.entries({ scale, mean_file, crop_size, mirror }).filter(([, value]) => value !== undefined);
  if (moved.length === 0) return old;
  const transform_param = { ...create(TransformationParameter), ...old.transform_param, ...Object.fromEntries(moved) };
  const made = { ...old, [home]: kept, transform_param };
  place(made, positionOf(old));
  return made;
}
