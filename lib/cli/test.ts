import type { Command } from 'commander';
import { compile } from '../compile.js';
import type { Loader } from '../data/loader.js';
import { GraphError } from '../errors.js';
import type { Graph, Value } from '../graph.js';
import type { Model } from '../model.js';
import { count } from '../shape.js';
import { evaluate, Inputs, scoresOf, type EvaluateOptions, type Evaluation } from '../train/index.js';
import { average } from '../tasks/answers.js';
import { computing, positiveInteger, print, printJson } from './command.js';
import { interruptible } from './interrupt.js';
import { showProgress } from './progress.js';
import { Confusion, formatClasses, formatConfusion } from './tables.js';
import { openSubject, type Subject, type TestWords } from './testing/subject.js';
import { results } from '../wanted.js';
import { Held } from '../recipes/held.js';
import { notNegative } from './training/words.js';
import { badLine } from './view/lines.js';
import { count as thousands, duration, metrics } from './view/words.js';

const CROPS = 10;

/** `cortado test`: how good a net is on pictures whose classes are known. */
export function register(command: Command): void {
  computing(command)
    .option('--model <net>', 'a prototxt file or a ready-made model (default: what a checkpoint of "train --net" says)')
    .option(
      '--weights <file>',
      '.caffemodel or .safetensors (default: those that Cortado has, for cifar10-full and -quick)',
    )
    .option(
      '--data <path>',
      "pictures: a folder with one for each class, a list, a database (default: the file's data layer for tests)",
    )
    .option('--batch <n>', "pictures of a run (default: the file's, or 32)", positiveInteger)
    .option('--iterations <n>', 'batches to look at (default: all)', positiveInteger)
    .option('--resize <n>', 'shorter side of a picture before it is cut', positiveInteger)
    .option('--mean <mean>', 'values such as 104,117,123, or a .npy or .binaryproto file')
    .option('--scale <factor>', 'multiplies pixels after the mean is taken off', notNegative)
    .option('--oversample', 'average over ten crops: corners and middle, and these mirrored')
    .option('--workers <n>', 'threads that read and decode pictures', positiveInteger)
    .action(test);
}

async function test(words: TestWords): Promise<void> {
  await using held = new Held();
  const subject = await openSubject(words, held);
  const { graph, classes, loader } = subject;
  const batch = loader.options.batch * (words.oversample ? CROPS : 1);
  const { device, threads } = words;
  await using model = await compile(graph, { device, batch, ...(threads !== undefined && { threads }) });
  await model.load(subject.weights);
  const { metrics: found, images, milliseconds, confusion } = await judge(model, subject, words);
  const rows = confusion?.rows(classes);
  if (words.json) {
    const table = rows && { classes: rows, confusion: confusion!.toJSON() };
    printJson({ net: graph.name, metrics: found, images, milliseconds, ...table, bad: loader.bad });
    return;
  }
  print(`${metrics(found)}  (${thousands(images)} images in ${duration(milliseconds / 1000)})`);
  if (confusion && rows) print(`\n${formatClasses(rows)}\n\n${formatConfusion(confusion, classes)}`);
  if (loader.bad.length > 0) print(`\n${badLine(loader.bad)}`);
}

type Judged = Evaluation & { readonly confusion: Confusion | undefined };

/** What the net makes of each picture. */
interface Look {
  readonly model: Model;
  readonly loader: Loader;
  /** The value with a number for each class. */
  readonly scores: Value | undefined;
  readonly batches: number;
  readonly add: (labels: Float32Array, scores: Float32Array | undefined) => void;
  readonly signal: AbortSignal;
}

async function judge(model: Model, { graph, loader }: Subject, words: TestWords): Promise<Judged> {
  const { oversample = false, iterations = Infinity } = words;
  const scores = classScores(graph, new Inputs(model, loader).names.labels, oversample);
  const confusion = scores && new Confusion(count(scores.shape, 1));
  const progress = showProgress('images');
  const total = Math.min(loader.pictures, iterations * loader.options.batch);
  let seen = 0;
  const add: Look['add'] = (labels, values) => {
    progress.update((seen += labels.length), total);
    if (!confusion || !values) return;
    const classes = confusion.classes;
    labels.forEach((label, i) => confusion.add(label, likeliest(values.subarray(i * classes, (i + 1) * classes))));
  };
  try {
    const found = await interruptible((signal) =>
      (oversample ? tenCrops : oneCrop)({ model, loader, scores, batches: iterations, add, signal }),
    );
    const own: Record<string, number> = confusion ? { accuracy: confusion.accuracy } : {};
    return { ...found, metrics: { ...own, ...found.metrics }, confusion };
  } finally {
    progress.stop();
  }
}

function oneCrop({ model, loader, scores, batches, add, signal }: Look): Promise<Evaluation> {
  const fetch = scores ? [scores.name] : [];
  const onBatch: EvaluateOptions['onBatch'] = ({ labels }, values) =>
    add(labels.data, scores && values[scores.name]!.data);
  return evaluate(model, loader, { fetch, onBatch, signal, ...(batches !== Infinity && { batches }) });
}

/** The mean of what the net says of ten crops of each picture; it has no loss. */
async function tenCrops({ model, loader, scores, batches, add, signal }: Look): Promise<Evaluation> {
  if (!scores) throw new GraphError(`${model.graph.name}: expected a number for each class to average over crops`);
  const started = performance.now();
  const { images: input } = new Inputs(model, loader).names;
  const classes = count(scores.shape, 1);
  let [seen, images] = [0, 0];
  for await (const { images: pictures, labels, names } of loader) {
    const { [scores.name]: all } = await model.forward({ [input]: pictures }, { fetch: [scores.name], signal });
    const means = names.map((_, i) =>
      average(all!.data.subarray(i * CROPS * classes, (i + 1) * CROPS * classes), CROPS),
    );
    add(labels.data, Float32Array.from(means.flatMap((mean) => Array.from(mean))));
    images += names.length;
    if (++seen === batches) break;
  }
  return { metrics: {}, images, milliseconds: performance.now() - started };
}

/** What says how likely each class is: for means over crops probabilities, where the net has them. */
function classScores(graph: Graph, labels: string | undefined, probabilities: boolean): Value | undefined {
  const answer = results(graph).at(-1);
  const judged = labels === undefined ? undefined : scoresOf(graph, labels);
  const value = probabilities ? (answer ?? judged) : (judged ?? answer);
  return value?.shape.length === 2 && value.shape[1]! > 1 ? value : undefined;
}

/** Of equals the lowest class. */
function likeliest(scores: Float32Array): number {
  return scores.reduce((best, score, i) => (score > scores[best]! ? i : best), 0);
}
