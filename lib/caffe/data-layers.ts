import { existsSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { FormatError } from '../errors.js';
import type { Pair } from '../shape.js';
import {
  DataParameter,
  filled,
  HDF5DataParameter,
  ImageDataParameter,
  TransformationParameter,
  type Layer,
  type Net,
} from './schema.js';
import { shown } from './import/inputs.js';
import { at, positionOf } from './text/position.js';

/** What becomes of each picture of a data layer. */
export interface LayerTransform {
  /** Height and width that a picture is resized to. */
  readonly resize?: Pair;
  /** Extents that are cut out: anywhere in training, in the middle in evaluation. */
  readonly crop?: Pair;
  readonly mirror: boolean;
  /** Factor after the mean is taken off. */
  readonly scale: number;
  /** One number for each channel or for all of them, or a file of means. */
  readonly mean?: readonly number[] | { readonly file: string };
  /** What encoded pictures are decoded to; undefined: what each of them is. */
  readonly channelOrder?: 'bgr' | 'grey';
}

/** A layer that reads data: what to open, and how to take it. */
export interface DataLayer {
  /** For errors. */
  readonly layer: Layer;
  readonly kind: 'lmdb' | 'leveldb' | 'imageList' | 'hdf5';
  /** As the file gives it: see `locate`. */
  readonly source: string;
  /** Folder that the paths of a list begin at. */
  readonly root?: string;
  readonly batch: number;
  /** The blob of pictures. */
  readonly data: string;
  /** The blob of labels, where the layer has one. */
  readonly label?: string;
  readonly shuffle: boolean;
  /** The first item is a random one of so many; 0: the first. */
  readonly skip: number;
  readonly transform: LayerTransform;
}

/** The parts that differ from one type of layer to the other. */
type Own = Pick<DataLayer, 'kind' | 'source' | 'batch' | 'shuffle' | 'skip' | 'transform'> & { readonly root?: string };

const READERS: Readonly<Record<string, (layer: Layer) => Own>> = {
  Data(layer) {
    const { source, batch_size, backend, rand_skip } = filled(DataParameter, layer.data_param);
    return {
      kind: backend === 'LMDB' ? 'lmdb' : 'leveldb',
      source: needed(layer, 'data_param', 'source', source),
      batch: needed(layer, 'data_param', 'batch_size', batch_size),
      shuffle: false,
      skip: rand_skip,
      transform: transformOf(layer, colourOf(layer)),
    };
  },
  ImageData(layer) {
    const { source, batch_size, shuffle, rand_skip, is_color, root_folder, new_height, new_width } = filled(
      ImageDataParameter,
      layer.image_data_param,
    );
    if (new_height > 0 !== new_width > 0) {
      throw wrong(layer, `expected both new_height and new_width or neither, got ${new_height} and ${new_width}`);
    }
    // Caffe puts it in front of each path as it is.
    if (root_folder !== '' && !/[/\\]$/.test(root_folder))
      throw wrong(layer, `expected root_folder to end in "/", got ${JSON.stringify(root_folder)}`);
    return {
      kind: 'imageList',
      source: needed(layer, 'image_data_param', 'source', source),
      root: root_folder || '.',
      batch: needed(layer, 'image_data_param', 'batch_size', batch_size),
      shuffle,
      skip: rand_skip,
      transform: {
        ...(new_height > 0 && { resize: [new_height, new_width] }),
        ...transformOf(layer, is_color ? 'bgr' : 'grey'),
      },
    };
  },
  HDF5Data(layer) {
    const { source, batch_size, shuffle } = filled(HDF5DataParameter, layer.hdf5_data_param);
    if (layer.transform_param) throw wrong(layer, 'expected no transform_param: HDF5Data takes numbers as they are');
    return {
      kind: 'hdf5',
      source: needed(layer, 'hdf5_data_param', 'source', source),
      batch: needed(layer, 'hdf5_data_param', 'batch_size', batch_size),
      shuffle,
      skip: 0,
      transform: { mirror: false, scale: 1 },
    };
  },
};

/**
 * The layers of a net that read data, of one phase: call `filterNet` first. Layers whose data comes from the program (Input,
 * MemoryData, DummyData) are not among them.
 * @throws {FormatError} naming file, line and column for settings that are missing or rule each other out
 */
export function dataLayers(net: Net): DataLayer[] {
  return net.layer.flatMap((layer) => {
    const { type = '', top } = layer;
    if (type === 'WindowData')
      throw wrong(layer, 'a WindowData layer cannot be read; expected Data, ImageData or HDF5Data');
    const reader = Object.hasOwn(READERS, type) ? READERS[type] : undefined;
    if (!reader) return [];
    const [data, label, ...more] = top;
    if (data === undefined || more.length > 0)
      throw wrong(layer, `expected one top for pictures and one for labels, got ${top.length}`);
    return [{ layer, data, ...(label !== undefined && { label }), ...reader(layer) }];
  });
}

/** Encoded records are decoded to what they are, unless the layer forces one or the other. */
function colourOf(layer: Layer): 'bgr' | 'grey' | undefined {
  const { force_color, force_gray } = filled(TransformationParameter, layer.transform_param);
  if (force_color && force_gray) throw wrong(layer, 'expected either force_color or force_gray, got both');
  return force_color ? 'bgr' : force_gray ? 'grey' : undefined;
}

function transformOf(layer: Layer, channelOrder: 'bgr' | 'grey' | undefined): LayerTransform {
  const { crop_size, mirror, scale, mean_file, mean_value } = filled(TransformationParameter, layer.transform_param);
  if (mean_file !== undefined && mean_value.length > 0)
    throw wrong(layer, 'expected either mean_file or mean_value, got both');
  return {
    ...(crop_size > 0 && { crop: [crop_size, crop_size] }),
    mirror,
    scale,
    ...(mean_value.length > 0 && { mean: mean_value }),
    ...(mean_file !== undefined && { mean: { file: mean_file } }),
    ...(channelOrder && { channelOrder }),
  };
}

function needed<T extends string | number>(layer: Layer, message: string, field: string, value: T | undefined): T {
  if (value !== undefined && value !== '' && value !== 0) return value;
  throw wrong(
    layer,
    `expected ${message} { ${field}: … }, got ${value === undefined ? 'none' : JSON.stringify(value)}`,
  );
}

function wrong(layer: Layer, complaint: string): FormatError {
  return new FormatError(`${at(layer)}layer ${shown(layer)}: ${complaint}`);
}

/** A path of a file of Caffe's, found. */
export interface Located {
  readonly path: string;
  /** Whether it lies beside the file that names it, not where Caffe would look: in the current folder. */
  readonly beside: boolean;
}

/**
 * Finds what a message of a file names: from the current folder, as Caffe does, or else from the folder of that file.
 * @throws {FormatError} naming file, line and column when it is in neither
 */
export function locate(path: string, field: string, message: object): Located {
  if (existsSync(path)) return { path, beside: false };
  const file = positionOf(message)?.file;
  const other = file === undefined || isAbsolute(path) ? path : join(dirname(file), path);
  if (existsSync(other)) return { path: other, beside: true };
  const also = other === path ? '' : `, nor beside ${file ?? ''}`;
  throw new FormatError(`${at(message)}${field}: no file or folder ${JSON.stringify(path)} here${also}`);
}
