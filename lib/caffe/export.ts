import { GraphError, UsageError } from '../errors.js';
import { writePieces } from '../file.js';
import type { Graph, Node, Parameter, Value } from '../graph.js';
import { dropoutOp } from '../ops/dropout.js';
import { reluOp } from '../ops/relu.js';
import { stopGradientOp } from '../ops/stop-gradient.js';
import { decimal } from '../protobuf/float32.js';
import type { ImportedLayer } from './import/build.js';
import { WRITERS } from './import/table.js';
import {
  create,
  InputParameter,
  LayerParameter,
  NetParameter,
  ParamSpec,
  type Layer,
  type Net,
  type Param,
} from './schema.js';
import { formatText } from './text/write.js';

/** What of a graph is exported. */
export interface ExportOptions {
  /** Results that are wanted: `['prob']` makes the deploy net of a classifier. Default: all of the graph's outputs. */
  readonly outputs?: readonly string[];
  /** Images of the input layer. Default: the graph's own batch. */
  readonly batch?: number;
}

/** A net in Caffe's words, and which parameters of the graph belong to its layers; `toCaffemodel` takes it. */
export interface ExportedNet {
  readonly definition: Net;
  readonly layers: readonly Omit<ImportedLayer, 'bottoms' | 'tops'>[];
}

/**
 * Says in Caffe's words what a graph computes: inputs as one Input layer, ReLU and dropout in place where nothing else
 * reads their bottom.
 * @throws {GraphError} for ops that Caffe does not have, naming the layer
 */
export function exportNet(graph: Graph, options: ExportOptions = {}): ExportedNet {
  const names = options.outputs ?? Object.keys(graph.outputs);
  const wanted = names.map((name) => {
    const value = graph.outputs[name];
    if (!value)
      throw new UsageError(
        `${graph.name}: expected outputs among ${Object.keys(graph.outputs).join(', ')}, got "${name}"`,
      );
    return value;
  });
  const nodes = needed(graph, wanted);
  const exporter = new Exporter(graph, nodes, wanted);
  const layers = nodes.filter((node) => node.op.name !== stopGradientOp.name).map((node) => exporter.layer(node));
  const inputs = Object.values<Value>(graph.inputs).filter((value) =>
    nodes.some((node) => node.inputs.includes(value)),
  );
  const input = { ...inputLayer(graph, inputs, options.batch), params: [] };
  const all = inputs.length > 0 ? [input, ...layers] : layers;
  return {
    definition: create(NetParameter, { name: graph.name, layer: all.map(({ definition }) => definition) }),
    layers: all,
  };
}

/** A net as text. */
export function formatNet(definition: Net): string {
  return formatText(NetParameter, definition);
}

/** Writes a net as a prototxt file. */
export async function writeNet(path: string, definition: Net): Promise<void> {
  await writePieces(path, [Buffer.from(formatNet(definition))]);
}

/** Nodes that the wanted values depend on, and losses among all when all is wanted, in order. */
function needed(graph: Graph, wanted: readonly Value[]): Node[] {
  const reached = new Set<Node>();
  const pending = [...wanted];
  for (let value = pending.pop(); value; value = pending.pop()) {
    const node = nodeOf(value);
    if (!node || reached.has(node)) continue;
    reached.add(node);
    pending.push(...node.inputs);
  }
  return graph.nodes.filter((node) => reached.has(node));
}

function nodeOf(value: Value): Node | undefined {
  return typeof value.source === 'object' && 'node' in value.source ? value.source.node : undefined;
}

function parameterOf(value: Value): Parameter | undefined {
  return typeof value.source === 'object' && 'parameter' in value.source ? value.source.parameter : undefined;
}

function inputLayer(graph: Graph, inputs: readonly Value[], batch: number | undefined) {
  const sized = graph.at(batch ?? graph.batch);
  const shape = inputs.map((value) => ({ dim: [...(sized.shapes.get(value) ?? value.shape)] }));
  const [name, type] = ['data', 'Input'];
  const input_param = create(InputParameter, { shape });
  return {
    name,
    type,
    definition: create(LayerParameter, { name, type, top: inputs.map((value) => value.name), input_param }),
  };
}

/** Layers that may overwrite their bottom. */
const IN_PLACE = new Set([reluOp.name, dropoutOp.name]);

class Exporter {
  readonly #blobs = new Map<Value, string>();
  readonly #taken = new Set<string>();
  readonly #readers = new Map<Value, number>();

  constructor(graph: Graph, nodes: readonly Node[], wanted: readonly Value[]) {
    for (const value of Object.values<Value>(graph.inputs)) this.#name(value, value.name);
    // An output counts as a reader: its blob must keep its value.
    for (const value of [...nodes.flatMap((node) => node.inputs), ...wanted])
      this.#readers.set(value, (this.#readers.get(value) ?? 0) + 1);
  }

  layer(node: Node): ExportedNet['layers'][number] {
    const write = WRITERS.get(node.op.name);
    if (!write) throw new GraphError(`${node.name}: Caffe has no layer like ${node.op.name}`);
    const params = node.inputs.slice(node.arity);
    const fillers = params.map((value) => parameterOf(value)?.filler ?? { type: 'constant' as const, value: 0 });
    const bottoms = node.inputs.slice(0, node.arity);
    const through = bottoms.map(unstopped);
    const [first] = through;
    const definition: Layer = create(LayerParameter, {
      name: node.name,
      ...write(node, fillers),
      bottom: through.map((value) => this.#blob(value)),
      top: node.outputs.map((value) =>
        first && this.#inPlace(node, first) ? this.#alias(value, first) : this.#name(value, value.name),
      ),
      loss_weight: node.lossWeight === (node.op.loss ? 1 : 0) ? [] : [node.lossWeight],
      param: this.#params(params),
      propagate_down: bottoms.some((value, i) => value !== through[i])
        ? bottoms.map((value, i) => value === through[i])
        : [],
    });
    return { name: node.name, type: definition.type ?? '', definition, params };
  }

  #inPlace(node: Node, bottom: Value): boolean {
    return IN_PLACE.has(node.op.name) && nodeOf(bottom) !== undefined && this.#readers.get(bottom) === 1;
  }

  #params(values: readonly Value[]): Param[] {
    const specs = values.map((value) => {
      const parameter = parameterOf(value);
      const spec = create(ParamSpec);
      if (!parameter?.learned) return spec;
      if ((this.#readers.get(value) ?? 0) > 1) spec.name = value.name;
      if (parameter.rate !== 1) spec.lr_mult = decimal(parameter.rate);
      if (parameter.decay !== 1) spec.decay_mult = decimal(parameter.decay);
      return spec;
    });
    return specs.every((spec) => Object.keys(spec).length === 0) ? [] : specs;
  }

  #blob(value: Value): string {
    return this.#blobs.get(value) ?? this.#name(value, value.name);
  }

  #alias(value: Value, of: Value): string {
    const blob = this.#blob(of);
    this.#blobs.set(value, blob);
    return blob;
  }

  #name(value: Value, wish: string): string {
    let name = wish;
    for (let i = 2; this.#taken.has(name); i++) name = `${wish}#${i}`;
    this.#taken.add(name);
    this.#blobs.set(value, name);
    return name;
  }
}

/** The value in front of stopped gradients, which Caffe says at the bottom of the layer behind. */
function unstopped(value: Value): Value {
  const node = nodeOf(value);
  return node?.op.name === stopGradientOp.name ? unstopped(node.inputs[0]!) : value;
}
