import { CortadoError, FormatError, GraphError } from '../../errors.js';
import { fixedInput, Graph, GraphBuilder, input, Value, type InputSpec } from '../../graph.js';
import { count, type Shape } from '../../shape.js';
import type { Tensor, TensorData } from '../../tensor.js';
import { openOnnx, type OnnxFile } from '../file.js';
import type { OnnxNode, OnnxValue } from '../schema.js';
import { arrangeReaders } from './arrange.js';
import { binaryReaders } from './binary.js';
import { fold } from './fold.js';
import { Constant, weightOf, type Item } from './items.js';
import { linearReaders } from './linear.js';
import { Names } from './names.js';
import { normalizeReaders } from './normalize.js';
import { pointwiseReaders } from './pointwise.js';
import { Site, type Reader, type WeightPlan } from './site.js';
import { windowReaders } from './window.js';

const READERS = new Map<string, Reader>(
  [arrangeReaders, binaryReaders, linearReaders, normalizeReaders, pointwiseReaders, windowReaders].flatMap((readers) =>
    Object.entries(readers),
  ),
);

/** What a file leaves open. */
export interface OnnxOptions {
  /** Images of the graph's own batch. Default: the file's, or 1 where it leaves that open. */
  readonly batch?: number;
  /** Extents of inputs that the file leaves open, by name, without the batch. */
  readonly shapes?: Readonly<Record<string, Shape>>;
}

/** A net of a file as a graph, and its weights for `model.load`. */
export interface OnnxNet {
  readonly graph: Graph;
  readonly weights: Readonly<Record<string, Tensor<TensorData>>>;
  readonly opset: number;
  /** The program that wrote the file. */
  readonly producer: string;
}

/** Versions of the operators that are read. */
const [OLDEST, NEWEST] = [9, 22];

/** Initializers up to this many elements are known while the net is built. */
const SMALL = 4096;

/**
 * Reads a net from an ONNX file: convolutional nets as exporters write them, operators of versions 9 to 22.
 *
 *     const { graph, weights } = await readOnnx('resnet18.onnx');
 *     const model = await compile(graph);
 *     await model.load(weights);
 *
 * The first axis of every input is the batch, which `compile` chooses, whatever the file says. Layers are called after their
 * weights (`layer1.0.conv1` where there is `layer1.0.conv1.weight`), else after the file's nodes. Dropout and batch
 * normalisation train in phase train.
 *
 * @throws {FormatError} for what is no ONNX file, naming the byte
 * @throws {GraphError} with everything that is not supported, naming the nodes
 */
export async function readOnnx(source: string | Uint8Array, options: OnnxOptions = {}): Promise<OnnxNet> {
  await using file = await openOnnx(source);
  const opset = opsetOf(file);
  const plan: WeightPlan = new Map();
  const graph = buildGraph(file, await constantsOf(file), opset, plan, options);
  const weights: [string, Tensor<TensorData>][] = [];
  for (const [name, weight] of plan) weights.push([name, await weightOf(weight, file.where)]);
  const { producer_name = '', producer_version = '' } = file.model;
  return {
    graph,
    weights: Object.fromEntries(weights),
    opset,
    producer: `${producer_name} ${producer_version}`.trim(),
  };
}

function opsetOf({ model, where }: OnnxFile): number {
  const own = model.opset_import.find(({ domain = '' }) => domain === '' || domain === 'ai.onnx');
  const version = own?.version ?? 1;
  if (version >= OLDEST && version <= NEWEST) return version;
  throw new FormatError(`${where}: expected operators of version ${OLDEST} to ${NEWEST}, got ${version}`);
}

async function constantsOf(file: OnnxFile): Promise<Map<string, Constant>> {
  const made = new Map<string, Constant>();
  for (const [name, info] of file.tensors) {
    const known = count(info.shape) <= SMALL ? await file.read(name) : undefined;
    made.set(name, new Constant(name, info, () => file.read(name), known));
  }
  return made;
}

function buildGraph(
  file: OnnxFile,
  constants: ReadonlyMap<string, Constant>,
  opset: number,
  plan: WeightPlan,
  options: OnnxOptions,
): Graph {
  const { where, model } = file;
  const { node: nodes, input: declared, output, name } = model.graph!;
  const fed = declared.filter((each) => !constants.has(each.name ?? ''));
  const batch = options.batch ?? fed.map(batchOf).find((n) => n !== undefined) ?? 1;
  const specs = Object.fromEntries(fed.map((each) => [each.name ?? '', specOf(each, options, where)]));
  const builder = new GraphBuilder(batch);
  const inputs = Object.fromEntries(Object.entries(specs).map(([key, spec]) => [key, builder.input(key, spec)]));
  const items = new Map<string, Item>([...constants, ...Object.entries(inputs)]);
  const names = new Names(Object.keys(inputs));
  const refused: string[] = [];
  for (const node of nodes) {
    const known = node.input.every((each) => each === '' || items.has(each));
    // What an unsupported node would have made is missing: that is told once, at that node.
    if (!known && refused.length > 0 && READERS.has(node.op_type ?? '')) continue;
    const why = read(node, items, (given) => new Site(node, given, opset, builder, names, plan));
    if (why !== undefined) refused.push(`  node ${shown(node)} (${node.op_type ?? ''}): ${why}`);
  }
  if (refused.length > 0) throw new GraphError(`${where}: not supported:\n${refused.join('\n')}`);
  const outputs = Object.fromEntries(output.map((each) => [each.name ?? '', valueOf(items, each, where)]));
  return new Graph(name ?? 'onnx', builder, specs, inputs, outputs);
}

const shown = ({ name, output }: OnnxNode): string => JSON.stringify([name, ...output].find((each) => each) ?? '');

/** Builds a node; gives the reason when it cannot be. */
function read(
  node: OnnxNode,
  items: Map<string, Item>,
  siteOf: (inputs: readonly (Item | undefined)[]) => Site,
): string | undefined {
  const { op_type: type = '', domain = '' } = node;
  try {
    if (domain !== '' && domain !== 'ai.onnx') throw new GraphError(`operators of ${domain} are not supported`);
    const site = siteOf(node.input.map((each) => inputOf(items, each)));
    const made = fold(site) ?? READERS.get(type)?.(site);
    if (!made) throw new GraphError('there is no such layer');
    node.output.forEach((each, i) => {
      if (each !== '' && made[i]) items.set(each, made[i]);
    });
    return undefined;
  } catch (error) {
    if (error instanceof CortadoError) return error.message;
    throw error;
  }
}

function inputOf(items: ReadonlyMap<string, Item>, name: string): Item | undefined {
  if (name === '') return undefined;
  const item = items.get(name);
  if (!item) throw new GraphError(`nothing makes its input "${name}" before it`);
  return item;
}

const dimsOf = ({ type }: OnnxValue) => type?.tensor_type?.shape?.dim ?? [];

function batchOf(value: OnnxValue): number | undefined {
  const fixed = dimsOf(value)[0]?.dim_value;
  return fixed !== undefined && fixed > 0 ? fixed : undefined;
}

function specOf(value: OnnxValue, { shapes }: OnnxOptions, where: string): InputSpec {
  const { name = '' } = value;
  const given = shapes && Object.hasOwn(shapes, name) ? shapes[name] : undefined;
  if (given) return input(given);
  const dims = dimsOf(value);
  if (dims.length === 0) return fixedInput([]);
  const [, ...rest] = dims.map(({ dim_value, dim_param }, i) => {
    if (i === 0 || (dim_value !== undefined && dim_value > 0)) return dim_value ?? 1;
    throw new GraphError(
      `${where}: input "${name}": axis ${i} (${dim_param ?? '?'}) is open: give { shapes: { ${JSON.stringify(name)}: [its extents without the batch] } }`,
    );
  });
  return input(rest);
}

function valueOf(items: ReadonlyMap<string, Item>, { name = '' }: OnnxValue, where: string): Value {
  const item = items.get(name);
  if (item instanceof Value) return item;
  throw new GraphError(`${where}: output "${name}": expected something computed of the inputs`);
}
