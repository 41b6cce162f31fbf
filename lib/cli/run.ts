import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import { compile } from '../compile.js';
import { CortadoError, GraphError } from '../errors.js';
import type { Value } from '../graph.js';
import type { BackwardResult, Model } from '../model.js';
import { readNpy, writeNpy } from '../npy.js';
import { format, same, type Shape } from '../shape.js';
import type { Tensor, TensorData } from '../tensor.js';
import { BadUsage, computing, print, printJson, type ComputeOptions } from './command.js';
import { openNet, type OpenNet } from '../nets/open.js';
import { addModel, type ModelOptions } from './net.js';

/** Paths by what they are for. */
type Named = Readonly<Record<string, string>>;
type Tensors = Readonly<Record<string, Tensor<TensorData>>>;

interface RunOptions extends ComputeOptions, ModelOptions {
  readonly phase: 'TRAIN' | 'TEST';
  readonly input?: Named;
  readonly param?: Named;
  readonly topDiff?: Named;
  readonly backward?: boolean;
  readonly seed?: number;
  readonly output: string;
}

/** A tensor to be written. */
interface Item {
  readonly file: string;
  readonly tensor: Tensor;
}

/** `cortado run`: a net on given blobs, every blob and gradient to files. */
export function register(command: Command): void {
  addModel(computing(command))
    .option('--weights <file>', 'caffemodel, gzipped or not (default: the fillers of the net)')
    .addOption(
      new Option('--phase <phase>', 'which layers take part, and how they behave')
        .choices(['TRAIN', 'TEST'])
        .default('TEST'),
    )
    .option('--input <name=file>', 'a .npy file for an input; repeat for more', collect)
    .option(
      '--param <layer:i=file>',
      'a .npy file for blob i of a layer (0 weight, 1 bias, …); repeat for more',
      collect,
    )
    .option('--backward', 'compute and write gradients of every blob and parameter')
    .option(
      '--top-diff <name=file>',
      'a gradient to start backward from, instead of the losses; repeat for more',
      collect,
    )
    .option('--seed <n>', 'of fillers and dropout (default: 1)', wholeNumber)
    .requiredOption('--output <folder>', 'where to write; made when it is not there')
    .addHelpText(
      'after',
      `
Writes float32 in C order: NAME.npy for each blob (what the last in-place layer left in it; "/" becomes "__"), and with
--backward NAME.diff.npy for each blob (the gradient of what its first layer put into it) and LAYER.I.diff.npy for each
parameter. In phase TRAIN, LAYER.I.after.npy has the statistics that the run has updated.`,
    )
    .action(run);
}

function collect(text: string, before: Named = {}): Named {
  const cut = text.indexOf('=');
  if (cut < 1 || cut === text.length - 1) throw new InvalidArgumentError('expected NAME=file.npy.');
  return { ...before, [text.slice(0, cut)]: text.slice(cut + 1) };
}

function wholeNumber(text: string): number {
  if (/^\d+$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  throw new InvalidArgumentError('expected a whole number of at least 0.');
}

async function run(options: RunOptions): Promise<void> {
  const topDiff = await readAll(options.topDiff);
  if (Object.keys(topDiff).length > 0 && !options.backward) throw new BadUsage('--top-diff: needs --backward');
  const inputs = await readAll(options.input);
  const net = await openFor(inputs, options);
  const params = paramsOf(net, await readAll(options.param));
  const { device, threads, seed } = options;
  const batch = batchOf(net, inputs);
  const settings = { ...(threads !== undefined && { threads }), ...(seed !== undefined && { seed }) };
  await using model = await compile(net.graph, { device, batch, ...settings });
  await model.load({ ...net.weights, ...params });
  const { items, loss } = await compute(model, net, inputs, topDiff, options);
  const files = [...items, ...(options.phase === 'TRAIN' ? await statistics(model, net) : [])];
  refuseClashes(files);
  await mkdir(options.output, { recursive: true });
  for (const { file, tensor } of files) await writeNpy(join(options.output, file), tensor);
  const written = files.map(({ file, tensor }) => ({ file, shape: tensor.shape }));
  if (options.json)
    printJson({
      net: net.graph.name,
      phase: options.phase,
      output: options.output,
      ...(loss !== undefined && { loss }),
      files: written,
    });
  else print(written.map(({ file, shape }) => `${join(options.output, file)}  ${format(shape)}`).join('\n'));
}

async function readAll(paths: Named = {}): Promise<Tensors> {
  const entries = await Promise.all(
    Object.entries(paths).map(async ([name, path]) => [name, await readNpy(path)] as const),
  );
  return Object.fromEntries(entries);
}

/** Opens the net; where the file leaves extents open, or gives others, those of the fed arrays count. */
async function openFor(inputs: Tensors, options: RunOptions): Promise<OpenNet> {
  const shapes = Object.entries(inputs).map(([name, { shape }]) => [name, shape] as const);
  try {
    const net = await openNet(options, options.phase);
    if (shapes.every(([name, shape]) => takes(net, name, shape))) return net;
  } catch (error) {
    if (!(error instanceof GraphError) || shapes.length === 0) throw error;
  }
  const images = Object.fromEntries(
    shapes.filter(([, shape]) => shape.length > 0).map(([name, shape]) => [name, shape.slice(1)]),
  );
  const batch = shapes[0]?.[1][0];
  return openNet(options, options.phase, { shapes: images, ...(batch !== undefined && { batch }) });
}

/** Whether an input takes this shape, at some batch size. Unknown names are left to the model's own check. */
function takes({ graph }: OpenNet, name: string, shape: Shape): boolean {
  const value = graph.inputs[name];
  if (!value) return true;
  return graph.inputSpecs[name]!.batched ? same(value.shape.slice(1), shape.slice(1)) : same(value.shape, shape);
}

function batchOf({ graph }: OpenNet, inputs: Tensors): number {
  const fed = Object.entries(inputs).find(([name]) => graph.inputSpecs[name]?.batched);
  return fed?.[1].shape[0] ?? graph.batch;
}

/** Parameters by their names in the graph, from LAYER:I. */
function paramsOf(net: OpenNet, tensors: Tensors): Tensors {
  return Object.fromEntries(
    Object.entries(tensors).map(([key, tensor]) => {
      const [, name, index] = /^(.+):(\d+)$/.exec(key) ?? [];
      const layer = net.layers.find((each) => each.name === name);
      const value = layer?.params[Number(index)];
      if (!value)
        throw new BadUsage(
          `--param ${key}: expected LAYER:I, ${layer ? `I below ${layer.params.length}` : 'LAYER a layer of the net'}`,
        );
      return [value.name, tensor];
    }),
  );
}

interface Computed {
  readonly items: readonly Item[];
  readonly loss?: number;
}

async function compute(
  model: Model,
  net: OpenNet,
  inputs: Tensors,
  topDiff: Tensors,
  options: RunOptions,
): Promise<Computed> {
  const phase = options.phase === 'TRAIN' ? 'train' : 'test';
  const blobs = [...net.blobs];
  const computed = blobs.filter(([, { last }]) => last.source !== 'input');
  const fetch = computed.map(([, { last }]) => last.name);
  const dataOf = (values: Readonly<Record<string, Tensor>>): Item[] => [
    ...blobs
      .filter(([, { last }]) => last.source === 'input')
      .flatMap(([name]) => (inputs[name] ? [{ file: fileOf(name), tensor: floats(inputs[name]) }] : [])),
    ...computed.map(([name, { last }]) => ({ file: fileOf(name), tensor: values[last.name]! })),
  ];
  if (!options.backward) return { items: dataOf(await model.forward(inputs, { phase, fetch })) };
  const params = net.layers.flatMap(({ name, params: own }) =>
    own.filter((value) => learned(value)).map((value) => ({ name, value, index: own.indexOf(value) })),
  );
  const of = [...blobs.map(([, { first }]) => first.name), ...params.map(({ value }) => value.name)];
  const started = Object.keys(topDiff).length > 0 ? { from: startsOf(net, topDiff) } : {};
  const result: BackwardResult<string> = await model.backward(inputs, { phase, fetch, of, ...started });
  const { outputs, gradients, loss } = result;
  return {
    items: [
      ...dataOf(outputs),
      ...blobs.map(([name, { first }]) => ({ file: fileOf(name, 'diff'), tensor: gradients[first.name]! })),
      ...params.map(({ name, value, index }) => ({
        file: fileOf(name, `${index}.diff`),
        tensor: gradients[value.name]!,
      })),
    ],
    ...(Object.keys(topDiff).length === 0 && { loss }),
  };
}

/** Gradients by the names of the values that the blobs end as. */
function startsOf({ blobs }: OpenNet, topDiff: Tensors): Tensors {
  return Object.fromEntries(
    Object.entries(topDiff).map(([name, tensor]) => {
      const blob = blobs.get(name);
      if (!blob)
        throw new BadUsage(`--top-diff ${name}: expected a blob of the net, one of ${[...blobs.keys()].join(', ')}`);
      return [blob.last.name, tensor];
    }),
  );
}

/** Whether a value is a parameter that a solver learns; undefined when it is no parameter. */
function learned({ source }: Value): boolean | undefined {
  return typeof source === 'object' && 'parameter' in source ? source.parameter.learned : undefined;
}

/** Parameters that layers themselves update, as batch normalisation does its statistics. */
async function statistics(model: Model, net: OpenNet): Promise<Item[]> {
  const own = net.layers.flatMap(({ name, params }) =>
    params.flatMap((value, i) => (learned(value) === false ? [{ name, value, i }] : [])),
  );
  if (own.length === 0) return [];
  const weights = await model.weights();
  return own.map(({ name, value, i }) => ({ file: fileOf(name, `${i}.after`), tensor: weights[value.name]! }));
}

function fileOf(name: string, ...rest: string[]): string {
  return [name.replaceAll('/', '__'), ...rest, 'npy'].join('.');
}

function floats({ data, shape }: Tensor<TensorData>): Tensor {
  return { data: data instanceof Float32Array ? data : Float32Array.from(data), shape };
}

function refuseClashes(items: readonly Item[]): void {
  const seen = new Set<string>();
  for (const { file } of items) {
    if (seen.has(file))
      throw new CortadoError('GRAPH', `two blobs or parameters of this net would be written to ${file}`);
    seen.add(file);
  }
}
