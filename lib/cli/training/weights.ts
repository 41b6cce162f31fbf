import { readCaffemodel } from '../../caffe/caffemodel.js';
import { matchWeights, type ImportedLayer } from '../../caffe/import/index.js';
import { FormatError } from '../../errors.js';
import { readSafetensors } from '../../formats/safetensors.js';
import type { Model } from '../../model.js';
import { format, same } from '../../shape.js';
import type { Tensor } from '../../tensor.js';

interface Layers {
  readonly layers: readonly Pick<ImportedLayer, 'name' | 'params'>[];
}

/**
 * Weights of a file for a net, matched by the names of layers: a .caffemodel, or a .safetensors as Cortado writes them.
 * Layers that the file lacks are left out.
 * @throws {FormatError | ShapeError} when none of them is the net's, or one has another shape
 */
export async function readWeights(net: Layers, path: string): Promise<Readonly<Record<string, Tensor>>> {
  const weights = path.endsWith('.safetensors')
    ? await fromTensors(net, path)
    : matchWeights(net, await readCaffemodel(path));
  if (Object.keys(weights).length > 0) return weights;
  const names = net.layers.filter(({ params }) => params.length > 0).map(({ name }) => name);
  throw new FormatError(`${path}: expected weights of at least one layer of the net (${names.join(', ')}), got none`);
}

/** Reads and loads them. */
export async function loadWeights(model: Pick<Model, 'load'>, net: Layers, path: string): Promise<void> {
  await model.load(await readWeights(net, path));
}

async function fromTensors({ layers }: Layers, path: string): Promise<Record<string, Tensor>> {
  const { tensors } = await readSafetensors(path);
  const found = new Map<string, Tensor>();
  for (const { name, shape } of layers.flatMap(({ params }) => params)) {
    const tensor = Object.hasOwn(tensors, name) ? tensors[name] : undefined;
    if (!tensor) continue;
    const { data } = tensor;
    if (!(data instanceof Float32Array) || !same(tensor.shape, shape))
      throw new FormatError(
        `${path}: ${name}: expected float32 of shape ${format(shape)}, got ${format(tensor.shape)}`,
      );
    found.set(name, { data, shape });
  }
  return Object.fromEntries(found);
}
