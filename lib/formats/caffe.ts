import type { Blob } from '../caffe/blob.js';
import { readCaffemodel, writeCaffemodel, type LayerWeights } from '../caffe/caffemodel.js';
import { UsageError } from '../errors.js';
import type { Shape } from '../shape.js';
import { fromTensor, toTensor, type RawTensor } from './elements.js';
import { inMemory, type TensorFile, type TensorSet } from './tensors.js';

/** What the blobs of a layer are called, by its type: as our own layers call them. */
const BLOBS: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(
    ['Convolution', 'Deconvolution', 'InnerProduct', 'Scale', 'Embed', 'Parameter'].map((t) => [t, ['weight', 'bias']]),
  ),
  Bias: ['bias'],
  PReLU: ['slope'],
  BatchNorm: ['mean', 'variance', 'factor'],
};

/** Place among a layer's blobs by the last part of a tensor's name. */
const PLACES: Readonly<Record<string, number>> = { weight: 0, bias: 1, mean: 0, variance: 1, factor: 2, slope: 0 };

/**
 * Opens a caffemodel of any age, or its HDF5 form, all of it: blobs are called LAYER.weight and LAYER.bias, of a BatchNorm
 * LAYER.mean, .variance and .factor, of others LAYER and a number. Numbers are float32.
 * @throws {FormatError}
 */
export async function openCaffemodel(path: string): Promise<TensorFile> {
  const { layers } = await readCaffemodel(path);
  const tensors: Record<string, RawTensor> = {};
  for (const layer of layers) {
    const parts = partsOf(layer);
    for (const [i, blob] of layer.blobs.entries()) {
      // HDF5 leaves out what another layer shares.
      if (blob)
        tensors[`${layer.name}.${parts[i] ?? i}`] = fromTensor({
          data: blob.data,
          shape: shapeOf(blob, layer.type, i),
        });
    }
  }
  const close = (): Promise<void> => Promise.resolve();
  return { ...inMemory(tensors), where: path, close, [Symbol.asyncDispose]: close };
}

/** HDF5 tells no types; three blobs are a BatchNorm's. */
function partsOf({ type, blobs }: LayerWeights): readonly string[] {
  if (type !== '') return BLOBS[type] ?? [];
  return blobs.length === 3 ? BLOBS.BatchNorm! : blobs.length > 3 ? [] : ['weight', 'bias'];
}

/** Old files give four extents to everything; those that a layer does not have are ones in front. */
function shapeOf({ shape, legacy }: Blob, type: string, index: number): Shape {
  const axes = type === 'InnerProduct' && index === 0 ? 2 : index === 0 && type !== 'Scale' ? 4 : 1;
  return legacy && shape.slice(0, 4 - axes).every((extent) => extent === 1) ? shape.slice(4 - axes) : shape;
}

/**
 * Writes tensors as a caffemodel, or HDF5 where the path ends in `.h5`. Layers follow from the tensors' names, and types from
 * the shapes: Caffe itself goes by names alone.
 * @throws {UsageError} for names that are no blob's, and elements that are not float32
 */
export async function writeTensorsAsCaffemodel(path: string, set: TensorSet): Promise<void> {
  const layers = new Map<string, { parts: string[]; blobs: Blob[] }>();
  for (const [name, { dtype, shape }] of set.tensors) {
    const [, layer, part] = /^(.+)\.(weight|bias|mean|variance|factor|slope|\d{1,3})$/.exec(name) ?? [];
    if (layer === undefined || part === undefined)
      throw new UsageError(`${name}: expected a name that ends in ${Object.keys(PLACES).join(', ')} or a number`);
    if (dtype !== 'float32') throw new UsageError(`${name}: a caffemodel holds float32, got ${dtype}`);
    const { data } = toTensor(await set.read(name), name);
    const entry = layers.get(layer) ?? { parts: [], blobs: [] };
    entry.parts.push(part);
    const alone = part === 'bias' && !set.tensors.has(`${layer}.weight`);
    entry.blobs[alone ? 0 : (PLACES[part] ?? Number(part))] = { shape, data: data as Float32Array };
    layers.set(layer, entry);
  }
  const made = [...layers].map(([name, { parts, blobs }]): LayerWeights => {
    if (Object.keys(blobs).length !== blobs.length)
      throw new UsageError(`${name}: expected all blobs up to ${blobs.length - 1}, got ${parts.join(', ')}`);
    return { name, type: typeOf(parts, blobs), blobs };
  });
  await writeCaffemodel(path, { name: '', layers: made });
}

function typeOf(parts: readonly string[], [first]: readonly Blob[]): string {
  if (parts.includes('mean')) return 'BatchNorm';
  if (parts.includes('slope')) return 'PReLU';
  if (!parts.includes('weight')) return parts.includes('bias') ? 'Bias' : '';
  return ['Parameter', 'Scale', 'InnerProduct', 'Parameter', 'Convolution'][first!.shape.length] ?? 'Parameter';
}
