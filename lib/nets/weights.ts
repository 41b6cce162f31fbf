import { readCaffemodel } from '../caffe/caffemodel.js';
import { matchWeights, type ImportedLayer } from '../caffe/import/index.js';
import { FormatError } from '../errors.js';
import { formatOf, openTensors } from '../formats/files.js';
import { findWeights } from '../formats/weights.js';
import type { Model } from '../model.js';
import type { Tensor, TensorData } from '../tensor.js';

interface Layers {
  readonly layers: readonly Pick<ImportedLayer, 'name' | 'params'>[];
}

/**
 * Weights of a file for a net: of a .caffemodel by the names of layers, of any other file of tensors by the names of
 * parameters. Layers that the file lacks are left out.
 * @throws {FormatError | ShapeError} when none of them is the net's, or one has another shape
 */
export async function weightsOf(net: Layers, path: string): Promise<Readonly<Record<string, Tensor>>> {
  const format = formatOf(path);
  const weights =
    format === undefined || format.name === 'caffemodel'
      ? matchWeights(net, await readCaffemodel(path))
      : await fromTensors(net, path);
  if (Object.keys(weights).length > 0) return weights;
  const names = net.layers.filter(({ params }) => params.length > 0).map(({ name }) => name);
  throw new FormatError(`${path}: expected weights of at least one layer of the net (${names.join(', ')}), got none`);
}

/** Reads and loads them. */
export async function loadWeights(model: Pick<Model, 'load'>, net: Layers, path: string): Promise<void> {
  await model.load(await weightsOf(net, path));
}

async function fromTensors({ layers }: Layers, path: string): Promise<Record<string, Tensor>> {
  await using file = await openTensors(path);
  return floats(await findWeights([...new Set(layers.flatMap(({ params }) => params))], file));
}

/** The same numbers as float32. */
export function floats(weights: Readonly<Record<string, Tensor<TensorData>>>): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(weights).map(([name, { data, shape }]) => {
      return [name, { data: data instanceof Float32Array ? data : Float32Array.from(data), shape }];
    }),
  );
}
