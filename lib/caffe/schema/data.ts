import { enumeration, many, message, one } from '../../protobuf/schema.js';
import { BlobShape, FillerParameter } from './blob.js';

/** What is done to each image before the net sees it: (x - mean) · scale, crop, mirror. */
export const TransformationParameter = message('TransformationParameter', {
  scale: one('float', 1, 1),
  mirror: one('bool', 2, false),
  crop_size: one('uint32', 3, 0),
  mean_file: one('string', 4),
  mean_value: many('float', 5),
  force_color: one('bool', 6, false),
  force_gray: one('bool', 7, false),
});

/** Inputs that the user feeds: one shape per top, or one for all of them. */
export const InputParameter = message('InputParameter', { shape: many(BlobShape, 1) });

const DB = enumeration('DB', { LEVELDB: 0, LMDB: 1 });

/** scale, mean_file, crop_size and mirror have moved to TransformationParameter. */
export const DataParameter = message('DataParameter', {
  source: one('string', 1),
  scale: one('float', 2, 1),
  mean_file: one('string', 3),
  batch_size: one('uint32', 4),
  crop_size: one('uint32', 5, 0),
  mirror: one('bool', 6, false),
  rand_skip: one('uint32', 7, 0),
  backend: one(DB, 8, 'LEVELDB'),
  force_encoded_color: one('bool', 9, false),
  prefetch: one('uint32', 10, 4),
});

/** scale, mean_file, crop_size and mirror have moved to TransformationParameter. */
export const ImageDataParameter = message('ImageDataParameter', {
  source: one('string', 1),
  scale: one('float', 2, 1),
  mean_file: one('string', 3),
  batch_size: one('uint32', 4, 1),
  crop_size: one('uint32', 5, 0),
  mirror: one('bool', 6, false),
  rand_skip: one('uint32', 7, 0),
  shuffle: one('bool', 8, false),
  new_height: one('uint32', 9, 0),
  new_width: one('uint32', 10, 0),
  is_color: one('bool', 11, true),
  root_folder: one('string', 12, ''),
});

/** scale, mean_file, crop_size and mirror have moved to TransformationParameter. */
export const WindowDataParameter = message('WindowDataParameter', {
  source: one('string', 1),
  scale: one('float', 2, 1),
  mean_file: one('string', 3),
  batch_size: one('uint32', 4),
  crop_size: one('uint32', 5, 0),
  mirror: one('bool', 6, false),
  fg_threshold: one('float', 7, 0.5),
  bg_threshold: one('float', 8, 0.5),
  fg_fraction: one('float', 9, 0.25),
  context_pad: one('uint32', 10, 0),
  crop_mode: one('string', 11, 'warp'),
  cache_images: one('bool', 12, false),
  root_folder: one('string', 13, ''),
});

/** Either one shape per top, or the four extents one by one. */
export const DummyDataParameter = message('DummyDataParameter', {
  data_filler: many(FillerParameter, 1),
  num: many('uint32', 2),
  channels: many('uint32', 3),
  height: many('uint32', 4),
  width: many('uint32', 5),
  shape: many(BlobShape, 6),
});

export const MemoryDataParameter = message('MemoryDataParameter', {
  batch_size: one('uint32', 1),
  channels: one('uint32', 2),
  height: one('uint32', 3),
  width: one('uint32', 4),
});

export const HDF5DataParameter = message('HDF5DataParameter', {
  source: one('string', 1),
  batch_size: one('uint32', 2),
  shuffle: one('bool', 3, false),
});

export const HDF5OutputParameter = message('HDF5OutputParameter', { file_name: one('string', 1) });
