import { FormatError } from '../../errors.js';
import { create, V1LayerParameter, type Net, type V0Layer, type V1Layer } from '../schema.js';
import { at, place, positionOf } from '../text/position.js';
import type { Warn } from '../upgrade.js';

const TYPES: Readonly<Record<string, V1Layer['type']>> = {
  accuracy: 'ACCURACY',
  bnll: 'BNLL',
  concat: 'CONCAT',
  conv: 'CONVOLUTION',
  data: 'DATA',
  dropout: 'DROPOUT',
  euclidean_loss: 'EUCLIDEAN_LOSS',
  flatten: 'FLATTEN',
  hdf5_data: 'HDF5_DATA',
  hdf5_output: 'HDF5_OUTPUT',
  im2col: 'IM2COL',
  images: 'IMAGE_DATA',
  infogain_loss: 'INFOGAIN_LOSS',
  innerproduct: 'INNER_PRODUCT',
  lrn: 'LRN',
  multinomial_logistic_loss: 'MULTINOMIAL_LOGISTIC_LOSS',
  pool: 'POOLING',
  relu: 'RELU',
  sigmoid: 'SIGMOID',
  softmax: 'SOFTMAX',
  softmax_loss: 'SOFTMAX_LOSS',
  split: 'SPLIT',
  tanh: 'TANH',
  window_data: 'WINDOW_DATA',
};

/** Where each setting has gone, by the layer types that may have it; `*`: whatever the type. */
const MOVED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  num_output: { conv: 'convolution_param.num_output', innerproduct: 'inner_product_param.num_output' },
  biasterm: { conv: 'convolution_param.bias_term', innerproduct: 'inner_product_param.bias_term' },
  weight_filler: { conv: 'convolution_param.weight_filler', innerproduct: 'inner_product_param.weight_filler' },
  bias_filler: { conv: 'convolution_param.bias_filler', innerproduct: 'inner_product_param.bias_filler' },
  pad: { conv: 'convolution_param.pad', pool: 'pooling_param.pad' },
  kernelsize: { conv: 'convolution_param.kernel_size', pool: 'pooling_param.kernel_size' },
  group: { conv: 'convolution_param.group' },
  stride: { conv: 'convolution_param.stride', pool: 'pooling_param.stride' },
  pool: { pool: 'pooling_param.pool' },
  dropout_ratio: { dropout: 'dropout_param.dropout_ratio' },
  local_size: { lrn: 'lrn_param.local_size' },
  alpha: { lrn: 'lrn_param.alpha' },
  beta: { lrn: 'lrn_param.beta' },
  k: { lrn: 'lrn_param.k' },
  source: {
    data: 'data_param.source',
    hdf5_data: 'hdf5_data_param.source',
    images: 'image_data_param.source',
    window_data: 'window_data_param.source',
    infogain_loss: 'infogain_loss_param.source',
  },
  batchsize: {
    data: 'data_param.batch_size',
    hdf5_data: 'hdf5_data_param.batch_size',
    images: 'image_data_param.batch_size',
    window_data: 'window_data_param.batch_size',
  },
  scale: { '*': 'transform_param.scale' },
  meanfile: { '*': 'transform_param.mean_file' },
  cropsize: { '*': 'transform_param.crop_size' },
  mirror: { '*': 'transform_param.mirror' },
  rand_skip: { data: 'data_param.rand_skip', images: 'image_data_param.rand_skip' },
  shuffle_images: { images: 'image_data_param.shuffle' },
  new_height: { images: 'image_data_param.new_height' },
  new_width: { images: 'image_data_param.new_width' },
  concat_dim: { concat: 'concat_param.concat_dim' },
  det_fg_threshold: { window_data: 'window_data_param.fg_threshold' },
  det_bg_threshold: { window_data: 'window_data_param.bg_threshold' },
  det_fg_fraction: { window_data: 'window_data_param.fg_fraction' },
  det_context_pad: { window_data: 'window_data_param.context_pad' },
  det_crop_mode: { window_data: 'window_data_param.crop_mode' },
};

/** The layers of a net of the first form in the second one. @throws {FormatError} for a type that never existed */
export function upgradeV0(net: Net, warn: Warn): V1Layer[] {
  return foldPadding(net).map((layer) => upgradeLayer(layer, warn));
}

function upgradeLayer(connection: V1Layer, warn: Warn): V1Layer {
  const { layer: old, bottom, top } = connection;
  const made = create(V1LayerParameter, { bottom, top });
  place(made, positionOf(connection));
  if (!old) return made;
  const type = old.type === undefined ? undefined : TYPES[old.type];
  if (old.type !== undefined && !type)
    throw new FormatError(`${at(connection)}unknown layer type ${JSON.stringify(old.type)}`);
  Object.assign(made, {
    name: old.name,
    type,
    blobs: old.blobs,
    blobs_lr: old.blobs_lr,
    weight_decay: old.weight_decay,
  });
  if (old.hdf5_output_param && old.type === 'hdf5_output') made.hdf5_output_param = old.hdf5_output_param;
  for (const [name, homes] of Object.entries(MOVED)) {
    const value = old[name as keyof V0Layer];
    if (value === undefined) continue;
    const home = homes[old.type ?? ''] ?? homes['*'];
    if (home === undefined) warn(`${at(connection)}${name} means nothing to a layer of type ${String(old.type)}`);
    else setField(made, home, value);
  }
  return made;
}

/** Sets `message.field` of a layer; a field that is a list by now gets the value as its only entry. */
function setField(layer: V1Layer, home: string, value: unknown): void {
  const [parent = '', name = ''] = home.split('.');
  const field = V1LayerParameter.fields[parent as keyof typeof V1LayerParameter.fields];
  if (typeof field.type === 'string' || field.type.kind !== 'message') throw new TypeError(home);
  const holder = layer as unknown as Record<string, Record<string, unknown> | undefined>;
  const settings: Record<string, unknown> = (holder[parent] ??= create(field.type));
  settings[name] = field.type.fields[name]?.rule === 'repeated' ? [value] : value;
}

/** Padding was a layer of its own; it becomes the `pad` of the convolution or pooling that reads it. */
function foldPadding(net: Net): V1Layer[] {
  const makers = new Map<string, V1Layer | undefined>(net.input.map((name) => [name, undefined]));
  const kept: V1Layer[] = [];
  for (const layer of net.layers) {
    let folded = layer;
    for (const name of layer.bottom) {
      if (!makers.has(name))
        throw new FormatError(
          `${at(layer)}layer ${JSON.stringify(layer.layer?.name)} reads ${JSON.stringify(name)}, which no layer makes`,
        );
      const maker = makers.get(name);
      if (maker?.layer?.type === 'padding') folded = padded(layer, maker);
    }
    if (layer.layer?.type !== 'padding') kept.push(folded);
    for (const name of layer.top) makers.set(name, layer);
  }
  return kept;
}

function padded(layer: V1Layer, padding: V1Layer): V1Layer {
  const fits = layer.layer?.type === 'conv' || layer.layer?.type === 'pool';
  if (!fits || layer.bottom.length !== 1 || padding.bottom.length !== 1 || padding.top.length !== 1) {
    throw new FormatError(`${at(layer)}a padding layer serves one convolution or pooling with one bottom`);
  }
  const made = { ...layer, bottom: padding.bottom, layer: { ...settingsOf(layer), pad: padding.layer?.pad ?? 0 } };
  place(made, positionOf(layer));
  return made;
}

function settingsOf(layer: V1Layer): V0Layer {
  return layer.layer ?? { blobs: [], blobs_lr: [], weight_decay: [] };
}
