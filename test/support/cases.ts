import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Tensor } from '../../lib/index.js';
import { decodeNpy } from '../../lib/npy.js';

/** An array of a manifest. */
export interface ArrayEntry {
  readonly file: string;
  readonly shape: readonly number[];
  readonly max_abs: number;
}

/** A blob of a layer case: its values, and its gradient where Caffe has one. */
export interface BlobEntry extends ArrayEntry {
  readonly diff?: ArrayEntry;
  /** What the blob holds after a forward run: statistics in training. */
  readonly after_forward?: ArrayEntry;
}

/** One layer as Caffe ran it. */
export interface LayerCase {
  readonly name: string;
  readonly type: string;
  readonly phase: 'TRAIN' | 'TEST';
  readonly in_place: boolean;
  readonly is_loss: boolean;
  readonly bottoms: readonly BlobEntry[];
  readonly params: readonly BlobEntry[];
  readonly tops: readonly BlobEntry[];
  readonly mask?: ArrayEntry;
}

/** What a layer of a whole net gave. */
export interface ForwardEntry extends ArrayEntry {
  readonly layer: string;
  readonly top: string;
}

/** One net as Caffe ran it. */
export interface NetCase {
  readonly name: string;
  readonly train_val_prototxt: string;
  readonly deploy_prototxt?: string;
  readonly weights: string;
  readonly data: ArrayEntry;
  readonly label: ArrayEntry;
  readonly forward_test?: readonly ForwardEntry[];
  readonly forward_train?: readonly ForwardEntry[];
  readonly forward_deploy?: readonly ForwardEntry[];
  readonly blob_diffs_test?: readonly (ArrayEntry & { readonly blob: string })[];
  readonly blob_diffs_train?: readonly (ArrayEntry & { readonly blob: string })[];
  readonly param_diffs_test?: readonly ParamEntry[];
  readonly param_diffs_train?: readonly ParamEntry[];
  readonly batchnorm_blobs_after_train_forward?: readonly ParamEntry[];
}

/** A parameter of a layer, by its number. */
export interface ParamEntry extends ArrayEntry {
  readonly layer: string;
  readonly param: number;
}

/** The manifest of a folder of reference outputs. */
export function manifest(folder: string): { readonly cases: readonly LayerCase[]; readonly nets: readonly NetCase[] } {
  const { cases = [], nets = [] } = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as {
    cases?: LayerCase[];
    nets?: NetCase[];
  };
  return { cases, nets };
}

/** Reads a .npy file as float32. */
export function array(path: string): Tensor {
  const { data, shape } = decodeNpy(readFileSync(path), path);
  return { data: data instanceof Float32Array ? data : Float32Array.from(data), shape };
}

const beside = fileURLToPath(new URL('../../../shared/data/', import.meta.url));
const root = resolve(process.env.CORTADO_DATA ?? beside);

/** A folder of real pictures and weights; undefined, which is said once for each, when it is not on this machine. */
export function realData(folder: string): string | undefined {
  const path = join(root, folder);
  if (existsSync(path)) return path;
  console.log(`    (no ${folder} at ${root}: tests with it are skipped; set CORTADO_DATA)`);
  return undefined;
}
