import { dataLayers } from '../caffe/data-layers.js';
import { exportNet, importNet, type ImportedLayer } from '../caffe/index.js';
import { withNewHead } from '../caffe/new-head.js';
import { filterNet } from '../caffe/phase.js';
import { readNetDefinition } from '../caffe/prototxt.js';
import type { Net } from '../caffe/schema.js';
import { FormatError, GraphError, UsageError } from '../errors.js';
import type { Graph } from '../graph.js';
import { READY } from '../nets/open.js';
import type { Shape } from '../shape.js';

/** A net, and which parameters belong to its layers. */
export interface NetParts {
  readonly graph: Graph;
  readonly layers: readonly Pick<ImportedLayer, 'name' | 'params'>[];
}

/** A net to be trained and the one that is evaluated: the same layers, as far as they have weights. */
export interface Nets {
  readonly train: NetParts;
  readonly test: NetParts;
}

/** A net by its name, or as its file says. */
export interface Drawn {
  readonly name: string;
  /** Undefined for a ready-made net. */
  readonly definition: Net | undefined;
  /** (C, H, W) of its pictures. */
  readonly shape: Shape;
}

/** Looks at a ready-made net or a prototxt file. @throws {FormatError | GraphError} unless it takes pictures */
export async function drawnNet(name: string): Promise<Drawn> {
  const definition = Object.hasOwn(READY, name) ? undefined : await readNetDefinition(name);
  const shape = definition ? inputShape(name, definition) : READY[name]!().inputSpecs.data!.shape;
  return { name, definition, shape };
}

function inputShape(name: string, definition: Net): Shape {
  const [layer] = dataLayers(filterNet(definition, { phase: 'TRAIN' }));
  const { crop, resize } = layer?.transform ?? {};
  const extents = crop ?? resize;
  if (layer && Array.isArray(extents))
    return [layer.transform.channelOrder === 'grey' ? 1 : 3, ...(extents as number[])];
  if (layer)
    throw new FormatError(
      `${name}: expected crop_size in the data layer of a net that is trained without a solver file`,
    );
  const { graph } = importNet(definition, { phase: 'TRAIN' });
  const pictures = Object.values(graph.inputSpecs).filter(({ shape }) => shape.length === 3);
  if (pictures.length === 1) return pictures[0]!.shape;
  throw new GraphError(`${name}: expected one input of pictures (N, C, H, W), got ${pictures.length}`);
}

/** The nets for data of so many classes. `finetune`: with a new last layer. @throws {UsageError | GraphError} */
export function netsOf({ name, definition, shape }: Drawn, classes: number | undefined, finetune: boolean): Nets {
  if (!definition && !finetune) {
    const graph = READY[name]!(classes === undefined ? {} : { classes });
    const layers = graph.nodes.map((node) => ({ name: node.name, params: node.inputs.slice(node.arity) }));
    return { train: { graph, layers }, test: { graph, layers } };
  }
  if (finetune && classes === undefined)
    throw new UsageError('classes: expected how many, since the data does not name them');
  const plain = definition ?? exportNet(READY[name]!()).definition;
  const changed = finetune ? withNewHead(plain, classes!) : plain;
  const [train, test] = (['TRAIN', 'TEST'] as const).map((phase) =>
    importNet(changed, { phase, shapes: shapesOf(changed, shape, phase) }),
  );
  if (train!.graph.losses.length === 0)
    throw new GraphError(`${name}: expected a net with a loss to train, such as its train_val.prototxt, got none`);
  return { train: train!, test: test! };
}

/** What a file leaves open: the extents of what its data layer reads. */
function shapesOf(definition: Net, shape: Shape, phase: 'TRAIN' | 'TEST'): Record<string, Shape> {
  const [layer] = dataLayers(filterNet(definition, { phase }));
  if (!layer) return {};
  return { [layer.data]: shape, ...(layer.label !== undefined && { [layer.label]: [] }) };
}
