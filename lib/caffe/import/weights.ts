import { FormatError, ShapeError } from '../../errors.js';
import { format, same, type Shape } from '../../shape.js';
import type { Tensor } from '../../tensor.js';
import type { Blob } from '../blob.js';
import type { CaffeModel } from '../caffemodel.js';
import type { Net } from '../schema.js';
import type { ImportedLayer } from './build.js';

/** Parameters by their names in the graph, ready for `model.load`. */
export type Weights = Readonly<Record<string, Tensor>>;

/** A layer and its parameters: of a net that was read, or of one to be written. */
type Parameterized = Pick<ImportedLayer, 'name' | 'type' | 'definition' | 'params'>;

/**
 * Matches weights to a net by layer name, as Caffe does: layers that the file lacks keep their fillers, layers that the net
 * lacks are passed over.
 * @throws {ShapeError} naming layer and blob when shapes differ
 * @throws {FormatError} when a layer has another number of blobs
 */
export function matchWeights(
  net: { readonly layers: readonly Pick<ImportedLayer, 'name' | 'params'>[] },
  model: CaffeModel,
): Weights {
  const weights: Record<string, Tensor> = {};
  for (const source of model.layers) {
    const layer = net.layers.find((each) => each.name === source.name);
    if (!layer) continue;
    if (source.blobs.length !== layer.params.length) {
      throw new FormatError(
        `${model.name}: layer "${layer.name}": expected ${layer.params.length} blobs, got ${source.blobs.length}`,
      );
    }
    source.blobs.forEach((blob, i) => {
      const value = layer.params[i]!;
      checkFit(layer, i, blob, value.shape);
      weights[value.name] = { data: blob.data, shape: value.shape };
    });
  }
  return weights;
}

/** A legacy blob has four axes; those that the parameter lacks are ones in front. */
function checkFit(layer: Pick<ImportedLayer, 'name'>, index: number, blob: Blob, shape: Shape): void {
  const wanted =
    blob.legacy && shape.length < 4 ? [...Array.from({ length: 4 - shape.length }, () => 1), ...shape] : shape;
  if (same(blob.shape, wanted)) return;
  throw new ShapeError(
    `layer "${layer.name}", blob ${index}: expected shape ${format(wanted)}, got ${format(blob.shape)}; to start this layer afresh, give it another name`,
  );
}

/** The weights of a model in the file's order, for `writeCaffemodel`. Layers without parameters are listed too, as Caffe does. */
export function toCaffemodel(
  net: { readonly layers: readonly Parameterized[]; readonly definition: Net },
  weights: Weights,
): CaffeModel {
  const layers = net.layers.map(({ name, type, definition, params }) => {
    const blobs = params.map((value, index): Blob => {
      const tensor = weights[value.name];
      if (!tensor) throw new FormatError(`layer "${name}", blob ${index}: expected weights named "${value.name}"`);
      return { shape: value.shape, data: tensor.data };
    });
    return { name, type, blobs, definition };
  });
  return { name: net.definition.name ?? '', layers, definition: { ...net.definition, layer: [] } };
}
