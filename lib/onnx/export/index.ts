import { FormatError, GraphError, ShapeError, UsageError } from '../../errors.js';
import { writePieces } from '../../file.js';
import type { RawTensor } from '../../formats/elements.js';
import type { Graph, Node, Value } from '../../graph.js';
import { accuracyOp } from '../../ops/accuracy.js';
import { create } from '../../protobuf/schema.js';
import { same, type Shape } from '../../shape.js';
import type { Sized } from '../../sized.js';
import type { Tensor, TensorData } from '../../tensor.js';
import { NodeProto, type OnnxNode, type OnnxValue } from '../schema.js';
import { arrangeWriters } from './arrange.js';
import { layerWriters } from './layers.js';
import { encodeModel, valueInfo } from './model.js';
import { pointwiseWriters } from './pointwise.js';
import { WriteSite, type OnnxWriter, type Target } from './site.js';
import { windowWriters } from './window.js';

const WRITERS = new Map<string, OnnxWriter>([
  ...arrangeWriters,
  ...layerWriters,
  ...pointwiseWriters,
  ...windowWriters,
]);

export interface OnnxExportOptions {
  /** Results that are wanted. Default: all of the graph's outputs that need no loss and no accuracy. */
  readonly outputs?: readonly string[];
}

type Weights = Readonly<Record<string, Tensor<TensorData>>>;

/**
 * Writes what a graph computes, forwards and in phase test, with its weights (`await model.weights()`) as an ONNX file:
 * operators of version 17, the batch open. Values keep their names, results are called as the graph's outputs.
 * @throws {GraphError} with everything that ONNX has no words for, naming the layers
 * @throws {FormatError} for missing weights, and beyond the 2 GiB of the format
 */
export async function writeOnnx(
  path: string,
  graph: Graph,
  weights: Weights,
  options: OnnxExportOptions = {},
): Promise<void> {
  await writePieces(path, encodeOnnx(graph, weights, options));
}

/** The same in memory, in pieces that follow each other; weights are not copied. */
export function encodeOnnx(graph: Graph, weights: Weights, options: OnnxExportOptions = {}): Uint8Array[] {
  const wanted = wantedOf(graph, options.outputs);
  const exporter = new Exporter(graph, weights, wanted);
  const nodes = needed(graph, [...wanted.values()]);
  exporter.run(nodes);
  const read = new Set([...nodes.flatMap((node) => node.inputs), ...wanted.values()]);
  const inputs = Object.values<Value>(graph.inputs).filter((value) => read.has(value));
  return encodeModel({
    name: graph.name,
    nodes: exporter.nodes,
    inputs: inputs.map((value) => exporter.describe(value, exporter.nameOf(value))),
    outputs: [...wanted].map(([name, value]) => exporter.describe(value, name)),
    initializers: exporter.initializers,
  });
}

const nodeOf = ({ source }: Value): Node | undefined =>
  typeof source === 'object' && 'node' in source ? source.node : undefined;

/** Nodes that the values depend on, in order. */
function needed(graph: Graph, values: readonly Value[]): Node[] {
  const reached = new Set<Node>();
  const pending = [...values];
  for (let value = pending.pop(); value; value = pending.pop()) {
    const node = nodeOf(value);
    if (!node || reached.has(node)) continue;
    reached.add(node);
    pending.push(...node.inputs);
  }
  return graph.nodes.filter((node) => reached.has(node));
}

function wantedOf(graph: Graph, names: readonly string[] | undefined): Map<string, Value> {
  const all = Object.entries<Value>(graph.outputs);
  if (!names) {
    const judged = ({ op }: Node): boolean => op.loss === true || op.name === accuracyOp.name;
    const chosen = all.filter(([, value]) => !needed(graph, [value]).some(judged));
    if (chosen.length > 0) return new Map(chosen);
  }
  return new Map(
    (names ?? all.map(([name]) => name)).map((name) => {
      const value = Object.hasOwn(graph.outputs, name) ? graph.outputs[name] : undefined;
      if (value) return [name, value];
      throw new UsageError(
        `${graph.name}: expected outputs among ${all.map(([each]) => each).join(', ')}, got "${name}"`,
      );
    }),
  );
}

class Exporter implements Target {
  readonly nodes: OnnxNode[] = [];
  readonly initializers = new Map<string, RawTensor>();
  readonly #names = new Map<Value, string>();
  readonly #taken: Set<string>;
  /** The graph at its own batch, and at another one where that can be. */
  readonly #own: Sized;
  readonly #other: Sized | undefined;

  constructor(
    private readonly graph: Graph,
    private readonly weights: Weights,
    private readonly wanted: ReadonlyMap<string, Value>,
  ) {
    this.#taken = new Set([...wanted.keys(), ...graph.parameters.map(({ name }) => name)]);
    for (const value of Object.values<Value>(graph.inputs)) this.#names.set(value, this.fresh(value.name));
    this.#own = graph.at(graph.batch);
    this.#other = otherBatch(graph);
  }

  /** Writes the nodes; what cannot be written is told all at once. */
  run(nodes: readonly Node[]): void {
    const refused: string[] = [];
    for (const node of nodes) {
      const write = WRITERS.get(node.op.name);
      const outputs = node.outputs.map((value) => this.#resultName(value));
      try {
        if (!write) throw new GraphError(`ONNX has no operator like ${node.op.name}`);
        const made = write(new WriteSite(node, this, outputs), node);
        node.outputs.forEach((value, i) => this.#names.set(value, made[i]!));
      } catch (error) {
        if (!(error instanceof GraphError)) throw error;
        refused.push(`  ${node.name}: ${error.message}`);
        node.outputs.forEach((value, i) => this.#names.set(value, outputs[i]!));
      }
    }
    if (refused.length > 0) throw new GraphError(`${this.graph.name}: cannot be exported:\n${refused.join('\n')}`);
    for (const [output, value] of this.wanted) this.#deliver(output, this.nameOf(value));
  }

  nameOf(value: Value): string {
    const name = this.#names.get(value);
    if (name !== undefined) return name;
    // A parameter that is read like any other value.
    const { data, shape } = this.weightOf(value);
    const bytes = Float32Array.from(data);
    this.initializers.set(value.name, { dtype: 'float32', shape, bytes: new Uint8Array(bytes.buffer) });
    return value.name;
  }

  fresh(wish: string): string {
    let name = wish;
    for (let i = 2; this.#taken.has(name); i++) name = `${wish}#${i}`;
    this.#taken.add(name);
    return name;
  }

  weightOf(value: Value): Tensor<TensorData> {
    const tensor = Object.hasOwn(this.weights, value.name) ? this.weights[value.name] : undefined;
    if (!tensor) throw new FormatError(`${this.graph.name}: expected weights named "${value.name}"`);
    if (!same(tensor.shape, value.shape))
      throw new ShapeError(
        `${value.name}: expected shape (${value.shape.join(', ')}), got (${tensor.shape.join(', ')})`,
      );
    return { data: tensor.data, shape: value.shape };
  }

  /** Type and extents of an input or output; those that change with the batch are open. */
  describe(value: Value, name: string): OnnxValue {
    const shape = this.#own.shapes.get(value)!;
    const other: Shape = this.#other?.shapes.get(value) ?? shape;
    return valueInfo(
      name,
      shape.map((extent, i) => (extent === other[i] ? extent : `${extent === this.graph.batch ? '' : extent}N`)),
    );
  }

  /** A value that is an output is called so from the beginning. */
  #resultName(value: Value): string {
    for (const [output, wanted] of this.wanted) if (wanted === value) return output;
    return this.fresh(value.name);
  }

  #deliver(output: string, name: string): void {
    if (name === output) return;
    this.nodes.push(
      create(NodeProto, { op_type: 'Identity', input: [name], output: [output], name: this.fresh(output) }),
    );
  }
}

/** Undefined where a layer fixes the batch. */
function otherBatch(graph: Graph): Sized | undefined {
  try {
    return graph.at(graph.batch + 1);
  } catch (error) {
    if (error instanceof ShapeError) return undefined;
    throw error;
  }
}
