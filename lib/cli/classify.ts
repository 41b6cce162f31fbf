import type { Command } from 'commander';
import { compile } from '../compile.js';
import { FormatError, GraphError, ShapeError } from '../errors.js';
import type { Graph, Value } from '../graph.js';
import { preprocess, readMean, type PreprocessOptions } from '../images/index.js';
import type { Model } from '../model.js';
import { count, type Pair } from '../shape.js';
import { average, best, readLabels, type Guess } from './answers.js';
import {
  addCommand,
  BadUsage,
  computing,
  note,
  positiveInteger,
  print,
  printJson,
  type ComputeOptions,
} from './command.js';
import type { TransformOptions } from '../data/index.js';
import { scoresOf } from '../train/index.js';
import { isTrained, trained } from '../trained.js';
import { MODELS, openNet, type ModelOptions, type OpenNet } from './net.js';
import { findPictures, type Picture } from './pictures.js';
import { bar, colourful, paint } from './terminal.js';
import { openSaved } from './training/saved.js';
import { readWeights } from './training/weights.js';
import { results } from './timing.js';

interface ClassifyOptions extends ComputeOptions, Partial<ModelOptions> {
  readonly mean?: string;
  readonly scale?: number;
  readonly labels?: string;
  readonly crop?: number;
  readonly resize?: number;
  readonly top: number;
  readonly batch: number;
  readonly rgb?: boolean;
  readonly oversample?: boolean;
}

/** What is said of one picture. */
interface Answer {
  readonly image: string;
  readonly predictions?: readonly Guess[];
  readonly error?: string;
}

/** A net ready to judge pictures. */
interface Judge {
  readonly model: Model;
  readonly input: string;
  readonly output: Value;
  readonly options: PreprocessOptions;
  readonly top: number;
  readonly labels: readonly string[] | undefined;
}

const CROPS = 10;

/** `cortado classify`: what a net sees in pictures. */
export function register(program: Command): void {
  const command = computing(addCommand(program, 'classify', 'tell what is on pictures'));
  command
    .option('--model <net>', `${MODELS} (default: what a checkpoint of "train --net" says)`)
    .argument('<image...>', 'files, folders, patterns, or - for standard input: JPEG, PNG, WebP, GIF, AVIF, TIFF, SVG')
    .option(
      '--weights <file>',
      '.caffemodel, gzipped or not, or .safetensors (default: those that Cortado has, for cifar10-full and -quick)',
    )
    .option('--mean <mean>', 'values such as 104,117,123 (in the order of the channels), a .npy or a .binaryproto file')
    .option('--scale <factor>', 'multiplies pixels after the mean is taken off (default: 1)', finite)
    .option('--labels <file>', 'names of the classes, one a line')
    .option(
      '--resize <n>',
      'resize pictures to n by n (default: 256 for nets that take 224 to 256, else as the crop)',
      positiveInteger,
    )
    .option('--crop <n>', "cut n by n out of the middle (default: the net's input)", positiveInteger)
    .option('--top <n>', 'classes to name', positiveInteger, 5)
    .option('--batch <n>', 'pictures of a run', positiveInteger, 8)
    .option('--rgb', 'the net takes red, green, blue (default: blue, green, red, as nets of Caffe do)')
    .option('--oversample', 'average over ten crops: corners and middle, and these mirrored')
    .action(classify);
}

function finite(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new BadUsage(`--scale: expected a number, got '${text}'`);
}

async function classify(words: readonly string[], options: ClassifyOptions): Promise<void> {
  const pictures = await findPictures(words);
  const { net, known } = await openJudged(options);
  const { graph } = net;
  const input = imageInput(graph);
  const output = answerOf(graph);
  const labels = options.labels === undefined ? known?.classes : await readLabels(options.labels);
  const settings = await preprocessing(options, graph.inputSpecs[input]!.shape, known);
  const { device, threads } = options;
  const batch = options.batch * (options.oversample ? CROPS : 1);
  await using model = await compile(graph, { device, batch, ...(threads === undefined ? {} : { threads }) });
  await model.load(net.weights);
  const classes = count(output.shape, 1);
  if (labels && labels.length !== classes) {
    throw new FormatError(`${options.labels}: expected ${classes} labels, one a line, got ${labels.length}`);
  }
  const judge = { model, input, output, options: settings, top: Math.min(options.top, classes), labels };
  const answers: Answer[] = [];
  for await (const answer of judgeAll(pictures, judge, options.batch)) {
    answers.push(answer);
    if (answer.error !== undefined) note(`cortado: ${answer.error}`);
    else if (!options.json) print(formatAnswer(answer));
  }
  if (options.json) printJson(answers);
  if (answers.some((answer) => answer.error !== undefined)) process.exitCode = 1;
}

/** What is known of a net beside its weights. */
interface Known {
  readonly classes: readonly string[] | undefined;
  readonly pixels: Pick<PreprocessOptions, 'mean' | 'scale' | 'channelOrder' | 'resize'>;
}

/** A net with its weights: what comes with Cortado, a checkpoint that says what net it is of, or what a file has. */
async function openJudged({ model, weights }: ClassifyOptions): Promise<{ net: Judged; known?: Known }> {
  if (model === undefined) {
    if (!weights?.endsWith('.safetensors'))
      throw new BadUsage('expected --model, or --weights with a checkpoint of "cortado train --net"');
    const { classes, transform, ...net } = await openSaved(weights);
    return { net, known: { classes, pixels: pixelsOf(transform) } };
  }
  if (weights !== undefined) {
    const net = await openNet({ model });
    return { net: { graph: net.graph, weights: await readWeights(net, weights) } };
  }
  if (!isTrained(model)) throw new BadUsage(`--weights: expected a file, since none come with ${model}`);
  const { classes, mean, ...net } = await trained(model);
  return { net, known: { classes, pixels: { mean } } };
}

type Judged = Pick<OpenNet, 'graph' | 'weights'>;

/** What training did to whole pictures, so far as it does not hang on chance. */
function pixelsOf({ mean, scale, channelOrder, resize }: TransformOptions): Known['pixels'] {
  return {
    ...(mean !== undefined && { mean }),
    ...(scale !== undefined && { scale }),
    ...(channelOrder && channelOrder !== 'asis' && { channelOrder }),
    ...(resize !== undefined && { resize }),
  };
}

/** Answers in the order of the pictures; the next pictures are decoded while the net looks at these. */
async function* judgeAll(pictures: readonly Picture[], judge: Judge, batch: number): AsyncGenerator<Answer> {
  const groups = Array.from({ length: Math.ceil(pictures.length / batch) }, (_, i) =>
    pictures.slice(i * batch, (i + 1) * batch),
  );
  let next = groups[0] && load(groups[0], judge);
  for (let i = 0; next; i++) {
    const loaded = await next;
    const following = groups[i + 1];
    next = following && load(following, judge);
    // Its failure is told when its turn comes.
    next?.catch(() => undefined);
    yield* await judgeLoaded(loaded, judge);
  }
}

interface Loaded {
  readonly image: string;
  readonly pixels?: Float32Array;
  readonly error?: string;
}

function load(pictures: readonly Picture[], { options }: Judge): Promise<Loaded[]> {
  const one = async ({ name, decode }: Picture): Promise<Loaded> => {
    try {
      return { image: name, pixels: await preprocess(await decode(), options) };
    } catch (error) {
      if (error instanceof FormatError) return { image: name, error: error.message };
      throw error;
    }
  };
  return Promise.all(pictures.map(one));
}

async function judgeLoaded(
  loaded: readonly Loaded[],
  { model, input, output, options, top, labels }: Judge,
): Promise<Answer[]> {
  const pixels = loaded.flatMap((each) => each.pixels ?? []);
  if (pixels.length === 0) return [...loaded];
  const data = new Float32Array(pixels.length * pixels[0]!.length);
  pixels.forEach((each, i) => data.set(each, i * each.length));
  const scores = (await model.forward({ [input]: data }, { fetch: [output.name] }))[output.name]!.data;
  const rows = options.oversample ? CROPS : 1;
  const classes = scores.length / (rows * pixels.length);
  const normalized =
    typeof output.source === 'object' && 'node' in output.source && output.source.node.op.name === 'softmax';
  let at = 0;
  return loaded.map(({ image, error }) => {
    if (error !== undefined) return { image, error };
    const own = scores.subarray(at * rows * classes, (at + 1) * rows * classes);
    at++;
    return { image, predictions: best(average(own, rows), normalized, top, labels) };
  });
}

/** The input that takes pictures. @throws {GraphError} unless there is exactly one */
function imageInput(graph: Graph): string {
  const images = Object.entries(graph.inputs).filter(([, value]) => value.shape.length === 4);
  const [first] = images;
  if (first && images.length === 1) return first[0];
  const got = Object.entries(graph.inputs).map(([name, value]) => `${name} (${value.shape.join(', ')})`);
  throw new GraphError(`${graph.name}: expected one input of pictures (N, C, H, W), got ${got.join(', ') || 'none'}`);
}

/** The output that says how likely each class is, or what a loss makes of it. */
function answerOf(graph: Graph): Value {
  const judged = Object.keys(graph.inputs).flatMap((name) => scoresOf(graph, name) ?? []);
  const output = [results(graph).at(-1), ...judged].find((value) => value && count(value.shape, 1) > 1);
  if (output) return output;
  throw new GraphError(
    `${graph.name}: expected an output with a number for each class, got none; is it a deploy.prototxt?`,
  );
}

async function preprocessing(
  options: ClassifyOptions,
  shape: readonly number[],
  known: Known | undefined,
): Promise<PreprocessOptions> {
  const [channels, height, width] = shape as [number, number, number];
  if (channels !== 1 && channels !== 3) {
    throw new ShapeError(`input: expected 1 or 3 channels for pictures, got (${shape.join(', ')})`);
  }
  const crop: Pair = options.crop ?? [height, width];
  if (options.crop !== undefined && (options.crop !== height || options.crop !== width)) {
    throw new BadUsage(`--crop: this net takes pictures of ${height}x${width}, got ${options.crop}`);
  }
  const resize: Pair =
    options.resize ??
    known?.pixels.resize ??
    (Math.min(height, width) >= 224 && Math.max(height, width) <= 256 ? 256 : crop);
  if (typeof resize === 'number' && resize < Math.max(height, width)) {
    throw new BadUsage(
      `--resize: expected at least ${Math.max(height, width)}, the size that is cut out, got ${resize}`,
    );
  }
  const mean = options.mean === undefined ? undefined : await readMean(options.mean);
  return {
    channelOrder: channels === 1 ? 'grey' : options.rgb ? 'rgb' : 'bgr',
    ...known?.pixels,
    resize,
    crop,
    ...(options.rgb && { channelOrder: 'rgb' }),
    ...(mean !== undefined && { mean }),
    ...(options.scale !== undefined && { scale: options.scale }),
    ...(options.oversample && { oversample: true }),
  };
}

/** With bars on a terminal; elsewhere a line of tab-separated fields for each class: image, rank, probability, class, label. */
function formatAnswer({ image, predictions = [] }: Answer): string {
  if (!process.stdout.isTTY) {
    const fields = predictions.map((guess, i) => [
      image,
      i + 1,
      guess.probability.toFixed(4),
      guess.class,
      guess.label ?? '',
    ]);
    return fields.map((line) => line.join('\t').trimEnd()).join('\n');
  }
  const lines = predictions.map(({ probability, label, class: index }, i) => {
    const cells = bar(probability, 24).padEnd(24);
    const percent = `${(100 * probability).toFixed(1)}%`.padStart(6);
    const text = `${percent} ${cells} ${label ?? `class ${index}`}`;
    return i === 0 && colourful()
      ? `${percent} ${paint('green', cells)} ${paint('bold', label ?? `class ${index}`)}`
      : text;
  });
  return [paint('underline', image), ...lines.map((line) => `  ${line}`)].join('\n');
}
