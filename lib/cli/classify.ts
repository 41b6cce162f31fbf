import type { Command } from 'commander';
import type { Prediction } from '../tasks/answers.js';
import { openClassifier } from '../tasks/classifier.js';
import { BadUsage, computing, note, positiveInteger, print, printJson, type ComputeOptions } from './command.js';
import { MODELS } from '../nets/open.js';
import type { ModelOptions } from './net.js';
import { findPictures } from './pictures.js';
import { bar, colourful, paint } from './terminal.js';

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
interface Told {
  readonly image: string;
  readonly predictions?: readonly Prediction[];
  readonly error?: string;
}

/** `cortado classify`: what a net sees in pictures. */
export function register(command: Command): void {
  computing(command)
    .option('--model <net>', `${MODELS} (default: what a checkpoint of "train --net" says)`)
    .argument('<image...>', 'files, folders, patterns, or - for standard input: JPEG, PNG, WebP, GIF, AVIF, TIFF, SVG')
    .option(
      '--weights <file>',
      '.caffemodel, gzipped or not, .safetensors, .pth, .npz or .onnx (default: those that Cortado has, for cifar10-full and -quick)',
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

async function classify(images: readonly string[], options: ClassifyOptions): Promise<void> {
  const pictures = await findPictures(images);
  const { json, rgb, top, verbose: _, ...words } = options;
  const { model, ...settings } = subject(words);
  await using classifier = await openClassifier(model, { ...settings, ...(rgb && { channelOrder: 'rgb' }) });
  const answers: Told[] = [];
  for await (const { predictions = [], error } of classifier.each(
    pictures.map(({ decode }) => decode),
    { top },
  )) {
    const image = pictures[answers.length]!.name;
    if (error) note(`cortado: ${error.message}`);
    else if (!json) print(formatAnswer(image, predictions, classifier.labels));
    answers.push({ image, ...(error ? { error: error.message } : { predictions }) });
  }
  if (json) printJson(answers);
  if (answers.some(({ error }) => error !== undefined)) process.exitCode = 1;
}

/** A checkpoint says by itself what net it is of. */
function subject<T extends Partial<ModelOptions>>(words: T): Omit<T, keyof ModelOptions> & ModelOptions {
  const { model, weights, ...others } = words;
  if (model !== undefined) return { ...others, model, ...(weights !== undefined && { weights }) };
  if (weights?.endsWith('.safetensors')) return { ...others, model: weights };
  throw new BadUsage('expected --model, or --weights with a checkpoint of "cortado train --net"');
}

/** With bars on a terminal; elsewhere a line of tab-separated fields for each class: image, rank, probability, class, label. */
function formatAnswer(
  image: string,
  predictions: readonly Prediction[],
  labels: readonly string[] | undefined,
): string {
  if (!process.stdout.isTTY) {
    const fields = predictions.map(({ label, score, index }, i) => {
      return [image, i + 1, score.toFixed(4), index, labels ? label : ''].join('\t').trimEnd();
    });
    return fields.join('\n');
  }
  const lines = predictions.map(({ label, score, index }, i) => {
    const cells = bar(score, 24).padEnd(24);
    const percent = `${(100 * score).toFixed(1)}%`.padStart(6);
    const name = labels ? label : `class ${index}`;
    return i === 0 && colourful()
      ? `${percent} ${paint('green', cells)} ${paint('bold', name)}`
      : `${percent} ${cells} ${name}`;
  });
  return [paint('underline', image), ...lines.map((line) => `  ${line}`)].join('\n');
}
