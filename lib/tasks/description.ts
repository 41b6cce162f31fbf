import { readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { TransformOptions } from '../data/index.js';
import { FormatError, UsageError } from '../errors.js';
import type { Graph } from '../graph.js';
import { readMean, type Mean, type PreprocessOptions } from '../images/index.js';
import { openNet } from '../nets/open.js';
import { openSaved } from '../nets/saved.js';
import { count } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { isTrained, trained } from '../trained.js';
import { readLabels } from './answers.js';
import { answerOf } from './picture-spec.js';

/** What makes a graph a classifier of pictures. Whatever is left out, the net's own entry or file says. */
export interface NetOptions extends Omit<PreprocessOptions, 'mean'> {
  /** A .caffemodel, gzipped or not, or any other file of tensors. Default: those that come with Cortado or the net's file. */
  readonly weights?: string;
  /** Numbers in the order of the net's channels, a picture of means, or a text or file as `readMean` takes it. Default 0. */
  readonly mean?: Mean | string;
  /** Names of the classes in the order of the net's answers, or a file with one a line. */
  readonly labels?: readonly string[] | string;
  /** Name of the value that `embed` gives. Default: what the last layer with parameters reads. */
  readonly embedding?: string;
}

/** A net with all that is needed to show it pictures. */
export interface DescribedNet {
  readonly graph: Graph;
  readonly weights: Readonly<Record<string, Tensor>>;
  readonly picture: PreprocessOptions;
  readonly labels: readonly string[] | undefined;
  readonly embedding: string | undefined;
}

/** The description in a folder that has one. */
const FILE = 'cortado.json';

/** Means of ImageNet's pictures (blue, green, red) as Caffe's nets take them off, and how torchvision normalizes. */
const CAFFE: NetOptions = { resize: 256, mean: [104, 117, 123] };
const TORCHVISION: NetOptions = {
  resize: 256,
  keepAspect: true,
  channelOrder: 'rgb',
  mean: [0.485, 0.456, 0.406].map((mean) => 255 * mean),
  scale: [0.229, 0.224, 0.225].map((deviation) => 1 / (255 * deviation)),
};

/** How the pictures of ready-made nets are prepared where their weights were trained. */
const READY: Readonly<Record<string, NetOptions>> = {
  alexnet: CAFFE,
  caffenet: CAFFE,
  squeezenet: CAFFE,
  'alexnet-owt': TORCHVISION,
  lenet: { scale: 1 / 256 },
};

/**
 * Opens a net by the name of a ready-made one, or from a path: a prototxt or ONNX file, a checkpoint that says what net it
 * is of, a description in JSON (`NetOptions` and `model`, paths relative to it), or a folder with one that is called
 * `cortado.json`. `options` go before what these say.
 * @throws {UsageError} for a name that is none, or a net without weights
 * @throws {FormatError} for files that are not what they should be
 */
export async function describeNet(source: string, options: NetOptions = {}): Promise<DescribedNet> {
  const { model, ...described } = await readDescription(source);
  const given = defined({ ...described, ...defined(options) });
  const { net, known } = await openKnown(model, given.weights);
  const { weights: _, mean, labels, embedding, ...picture } = { ...known, ...given };
  const means = typeof mean === 'string' ? await readMean(mean) : mean;
  const names = typeof labels === 'string' ? await readLabels(labels) : labels;
  checkLabels(net.graph, names, typeof labels === 'string' ? labels : 'labels');
  return {
    graph: net.graph,
    weights: net.weights,
    picture: { ...picture, ...(means !== undefined && { mean: means }) },
    labels: names,
    embedding,
  };
}

interface Known {
  readonly net: Pick<DescribedNet, 'graph' | 'weights'>;
  /** What is known of the net's pictures and classes. */
  readonly known: NetOptions;
}

async function openKnown(model: string, weights: string | undefined): Promise<Known> {
  if (model.endsWith('.safetensors')) {
    const { classes, transform, ...net } = await openSaved(model);
    return { net, known: { ...ofTransform(transform), ...(classes && { labels: classes }) } };
  }
  const known = Object.hasOwn(READY, model) ? READY[model]! : {};
  if (weights !== undefined) return { net: await openNet({ model, weights }), known };
  if (isTrained(model)) {
    const { classes, mean, ...net } = await trained(model);
    return { net, known: { ...known, mean, labels: classes } };
  }
  const net = await openNet({ model });
  if (Object.keys(net.weights).length > 0) return { net, known };
  throw new UsageError(`weights: expected a file, since none come with ${model}`);
}

/** What training did to whole pictures, so far as it does not hang on chance. */
export function ofTransform({
  mean,
  scale,
  channelOrder,
  resize,
}: TransformOptions): Omit<NetOptions, 'mean'> & PreprocessOptions {
  return {
    ...(mean !== undefined && { mean }),
    ...(scale !== undefined && { scale }),
    ...(channelOrder && channelOrder !== 'asis' && { channelOrder }),
    ...(resize !== undefined && { resize, keepAspect: typeof resize === 'number' }),
  };
}

function defined(options: NetOptions): NetOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function checkLabels(graph: Graph, labels: readonly string[] | undefined, where: string): void {
  const classes = labels && count(answerOf(graph).shape, 1);
  if (labels && labels.length !== classes)
    throw new FormatError(`${where}: expected ${classes} labels, one a line, got ${labels.length}`);
}

/** What each key of a description may hold; paths are taken from the description's own folder. */
const KEYS: Readonly<Record<keyof NetOptions | 'model', (value: unknown) => boolean>> = {
  model: isText,
  weights: isText,
  labels: (value) => isText(value) || (Array.isArray(value) && value.every(isText)),
  mean: (value) => isText(value) || isNumber(value) || isNumbers(value),
  scale: (value) => isNumber(value) || isNumbers(value),
  resize: (value) => isNumber(value) || isNumbers(value),
  crop: (value) => isNumber(value) || isNumbers(value),
  keepAspect: (value) => typeof value === 'boolean',
  oversample: (value) => typeof value === 'boolean',
  channelOrder: (value) => ['bgr', 'rgb', 'grey'].includes(value as string),
  embedding: isText,
};

async function readDescription(source: string): Promise<NetOptions & { readonly model: string }> {
  const folder = await stat(source).then(
    (found) => found.isDirectory(),
    () => false,
  );
  const path = folder ? join(source, FILE) : source;
  if (!path.endsWith('.json')) return { model: source };
  const described = await readJson(path);
  for (const [key, value] of Object.entries(described)) {
    const fits = Object.hasOwn(KEYS, key) ? KEYS[key as keyof typeof KEYS] : undefined;
    if (!fits) throw new FormatError(`${path}: expected keys among ${Object.keys(KEYS).join(', ')}, got "${key}"`);
    if (!fits(value)) throw new FormatError(`${path}: ${key}: cannot be ${JSON.stringify(value)}`);
  }
  const { model, ...options } = described as NetOptions & { readonly model?: string };
  if (model === undefined) throw new FormatError(`${path}: expected a "model"`);
  const near = (file: string): string => resolve(dirname(path), file);
  return {
    ...options,
    model: /[./\\]/.test(model) ? near(model) : model,
    ...(options.weights !== undefined && { weights: near(options.weights) }),
    ...(typeof options.labels === 'string' && { labels: near(options.labels) }),
    ...(typeof options.mean === 'string' && { mean: near(options.mean) }),
  };
}

async function readJson(path: string): Promise<object> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new FormatError(`${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new FormatError(`${path}: expected an object`);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}

function isNumbers(value: unknown): boolean {
  return Array.isArray(value) && value.every(isNumber);
}
