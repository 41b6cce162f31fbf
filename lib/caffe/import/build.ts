import { CortadoError, errorOf, GraphError } from '../../errors.js';
import { fixedInput, graph, input, type Graph, type GraphBuilder, type InputSpec, type Value } from '../../graph.js';
import { stopGradientOp } from '../../ops/stop-gradient.js';
import type { Layer, Net } from '../schema.js';
import { at } from '../text/position.js';
import { isSource, netInputs, shown, type InputOptions, type NetInput } from './inputs.js';
import { Names } from './names.js';
import { SharedParameters } from './shared.js';
import { Site } from './site.js';
import { READERS, unknownType } from './table.js';

/** The values that a blob of a file stands for: an in-place layer makes another of the same name. */
export interface Blob {
  /** What the layer that made the blob gave; Caffe's gradient of a blob is the one of this value. */
  readonly first: Value;
  /** What the last in-place layer left in it; Caffe's data of a blob. */
  readonly last: Value;
}

/** A layer of a file and what it became. */
export interface ImportedLayer {
  readonly name: string;
  readonly type: string;
  readonly definition: Layer;
  readonly bottoms: readonly Value[];
  readonly tops: readonly Value[];
  /** In the order of the layer's blobs; a shared parameter is the owner's. */
  readonly params: readonly Value[];
}

/** A net of a file as a graph. */
export interface ImportedNet {
  /** Outputs are the blobs that no layer reads, by name; inputs are the tops of the data layers. */
  readonly graph: Graph;
  readonly blobs: ReadonlyMap<string, Blob>;
  readonly layers: readonly ImportedLayer[];
  /** The net in the present form, with only the layers that take part. */
  readonly definition: Net;
}

/** Builds the graph of a net whose layers have been chosen. @throws {GraphError | ShapeError} at the first layer that does not fit */
export function buildNet(net: Net, options: InputOptions = {}): ImportedNet {
  for (const layer of net.layer) checkNames(layer);
  const inputs = netInputs(net.layer, options);
  const blobs = new Map<string, Blob>();
  const layers: ImportedLayer[] = [];
  const { specs, batch } = specsOf(inputs, options.batch);
  const made = graph(
    specs,
    (values, builder) => {
      const walk = new Walk(net, builder, blobs, layers);
      walk.run(values);
      return walk.outputs();
    },
    { name: net.name ?? 'net', batch },
  );
  return { graph: made, blobs, layers, definition: net };
}

/** Blobs become properties of results: one name would be taken for something else there. */
function checkNames(layer: Layer): void {
  for (const name of [layer.name, ...layer.top]) {
    if (name !== '__proto__') continue;
    throw new GraphError(`${at(layer)}layer ${shown(layer)}: expected another name than "${name}"`);
  }
}

/** Inputs share the batch of the first one; those of another first extent keep their whole shape. */
function specsOf(
  inputs: readonly NetInput[],
  given: number | undefined,
): { specs: Record<string, InputSpec>; batch: number } {
  const own = inputs.find(({ shape }) => shape.length > 0)?.shape[0] ?? 1;
  const specs: Record<string, InputSpec> = {};
  for (const { name, shape, layer } of inputs) {
    if (Object.hasOwn(specs, name)) throw new GraphError(`${at(layer)}layer ${shown(layer)}: "${name}" is made twice`);
    specs[name] =
      shape.length > 0 && (shape[0] === own || shape[0] === given) ? input(shape.slice(1)) : fixedInput(shape);
  }
  return { specs, batch: given ?? own };
}

/** Goes through the layers in order, remembering what each blob stands for. */
class Walk {
  readonly #names: Names;
  readonly #shared: SharedParameters;
  /** Blobs and values that no layer has read yet, by the name they go out under. */
  readonly #unread = new Map<string, Value>();

  constructor(
    private readonly net: Net,
    private readonly builder: GraphBuilder,
    private readonly blobs: Map<string, Blob>,
    private readonly layers: ImportedLayer[],
  ) {
    this.#shared = new SharedParameters(net.layer);
    this.#names = new Names(net.layer.filter(isSource).flatMap((layer) => layer.top));
  }

  run(inputs: Readonly<Record<string, Value>>): void {
    for (const layer of this.net.layer) {
      if (isSource(layer)) {
        const tops = layer.top.map((name) => inputs[name]!);
        layer.top.forEach((name, i) => this.blobs.set(name, { first: tops[i]!, last: tops[i]! }));
        this.#keep(layer, { bottoms: [], tops, params: [] });
      } else this.#layer(layer);
    }
  }

  /** Caffe's outputs: blobs that are made and never read. Fed blobs are not results. */
  outputs(): Record<string, Value> {
    return Object.fromEntries(this.#unread);
  }

  #keep(definition: Layer, rest: Pick<ImportedLayer, 'bottoms' | 'tops' | 'params'>): void {
    this.layers.push({ name: definition.name ?? '', type: definition.type ?? '', definition, ...rest });
  }

  #layer(layer: Layer): void {
    const type = layer.type ?? '';
    const reader = READERS.get(type);
    if (!reader) throw new GraphError(`${at(layer)}layer ${shown(layer)}: ${unknownType(type)}`);
    const bottoms = layer.bottom.map((name, i) => this.#bottom(layer, name, i));
    const site = new Site(layer, bottoms, this.builder, this.#names, this.#shared);
    const tops = located(layer, () => reader(site));
    if (layer.top.length > tops.length)
      throw site.error(`expected at most ${tops.length} tops, got ${layer.top.length}`);
    for (const name of layer.bottom) this.#unread.delete(name);
    layer.top.forEach((name, i) => this.#top(layer, name, tops[i]!));
    if (layer.top.length === 0) for (const value of tops) this.#unread.set(value.name, value);
    this.#keep(layer, { bottoms, tops, params: site.params });
  }

  #bottom(layer: Layer, name: string, index: number): Value {
    const blob = this.blobs.get(name);
    if (!blob) {
      const later = this.net.layer.find((each) => each.top.includes(name));
      const why = later
        ? `layer ${shown(later)} makes it only later: order the layers, a net has no cycles`
        : 'no layer makes it';
      throw new GraphError(`${at(layer)}layer ${shown(layer)}: reads "${name}", but ${why}`);
    }
    if (layer.propagate_down[index] !== false) return blob.last;
    return this.builder.add(stopGradientOp, [blob.last], {
      name: this.#names.node(`${layer.name ?? 'layer'}.stop${index}`),
    })[0]!;
  }

  #top(layer: Layer, name: string, value: Value): void {
    const before = this.blobs.get(name);
    if (before && !layer.bottom.includes(name)) {
      throw new GraphError(`${at(layer)}layer ${shown(layer)}: makes "${name}", which another layer has made`);
    }
    this.blobs.set(name, { first: before?.first ?? value, last: value });
    this.#unread.set(name, value);
  }
}

/** Puts the layer's place in the file in front of an error of its op. */
function located<T>(layer: Layer, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const place = at(layer);
    if (!(error instanceof CortadoError) || error.message.startsWith(place)) throw error;
    throw errorOf(error.code, `${place}${error.message}`, { cause: error });
  }
}
