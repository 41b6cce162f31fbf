import { basename } from 'node:path';
import { SingleBar } from 'cli-progress';
import type { Command } from 'commander';
import { preprocess, resizeImage } from '../images/index.js';
import { alexnet } from '../models/index.js';
import { measurePeak } from '../probe.js';
import { Random } from '../random.js';
import { computing, note, positiveInteger, print, printJson, type ComputeOptions } from './command.js';
import { learn, STEPS, type Learned, type Verdict } from './demo/learn.js';
import { nameFrom, type Photos } from './demo/photos.js';
import { classes, drawExample } from './demo/shapes.js';
import { writeSheet } from './demo/sheet.js';
import { paint, picture } from './terminal.js';
import { formatTiming } from './time.js';
import { timeNet, type Timing } from './timing.js';

interface DemoOptions extends ComputeOptions {
  readonly batch: number;
  readonly seed: number;
  readonly sheet: string | false;
  readonly photos?: readonly string[];
}

/** Means of the blue, green and red of ImageNet's pictures, as Caffe's nets take them off. */
const MEAN = [104, 117, 123];
/** Pictures on the sheet, and of them in the terminal. */
const SHEET = { columns: 8, rows: 6 };
const SHOWN = { columns: 4, rows: 2, size: 16 };

/** `cortado demo`: shows on pictures that it draws itself what Cortado can do. */
export function register(command: Command): void {
  computing(command)
    .option('--batch <n>', 'pictures of a run of AlexNet', positiveInteger, 4)
    .option('--seed <n>', 'of the pictures and the learning', positiveInteger, 1)
    .option('--sheet <file>', 'where to write a sheet of pictures with the answers', 'cortado-demo.png')
    .option('--no-sheet', 'write no sheet')
    .option('--photos <path...>', 'photographs of yours to name too: files, folders, patterns')
    .action(demo);
}

async function demo(options: DemoOptions): Promise<void> {
  const { device, threads, seed } = options;
  note(paint('bold', 'AlexNet, forward and backward') + ', on pictures drawn here:');
  const timing = await timeAlexnet(options);
  if (!options.json) print(`${formatTiming(timing)}\n`);
  note(paint('bold', `A small net learns to tell ${classes.length} shapes apart`) + ` (${classes.join(', ')}):`);
  const bar = new SingleBar({ format: '{bar} step {value}/{total}  loss {loss}', hideCursor: true });
  const terminal = process.stderr.isTTY;
  if (terminal) bar.start(STEPS, 0, { loss: '' });
  const onStep = (step: number, loss: number): void => {
    if (terminal) bar.update(step, { loss: loss.toFixed(3) });
    else if (step % 50 === 0) note(`step ${step}/${STEPS}  loss ${loss.toFixed(3)}`);
  };
  const learned = await learn({ seed, device, threads, onStep }).finally(() => bar.stop());
  const sheet = learned.verdicts.slice(0, SHEET.columns * SHEET.rows);
  if (options.sheet !== false) await writeSheet(options.sheet, sheet.map(captioned), SHEET.columns);
  const photos = await nameFrom(options.photos, options);
  if (options.json) {
    const { verdicts, ...result } = learned;
    const answers = verdicts.map(({ label, guess, confidence }) => ({
      shape: classes[label],
      answer: classes[guess],
      confidence,
    }));
    printJson({
      alexnet: timing,
      learning: { ...result, answers },
      photos: { ...photos, seen: photos.seen.map(({ name, predictions }) => ({ image: name, predictions })) },
      ...(options.sheet !== false && { sheet: options.sheet }),
    });
  } else
    print(
      `${await formatLearned(learned, options.sheet)}\n\n${await formatPhotos(photos, options.photos !== undefined)}`,
    );
}

async function timeAlexnet({ batch, device, threads, seed }: DemoOptions): Promise<Timing> {
  const peak = await measurePeak(threads);
  const random = new Random(seed, 2);
  const examples = Array.from({ length: batch }, () => drawExample(random));
  const pixels = await Promise.all(examples.map(({ image }) => preprocess(image, { resize: 227, mean: MEAN })));
  const data = new Float32Array(batch * pixels[0]!.length);
  pixels.forEach((each, i) => data.set(each, i * each.length));
  const inputs = { data, label: Float32Array.from(examples, ({ label }) => label) };
  return timeNet(alexnet(), peak, { batch, iterations: 5, backward: true, device, threads, inputs });
}

function captioned({ image, guess, label, confidence }: Verdict): Parameters<typeof writeSheet>[1][number] {
  return { image, caption: classes[guess]!, right: guess === label, confidence };
}

async function formatLearned({ seconds, steps, accuracy, verdicts }: Learned, sheet: string | false): Promise<string> {
  const lines: string[] = [];
  for (let row = 0; row < SHOWN.rows; row++) {
    const shown = verdicts.slice(row * SHOWN.columns, (row + 1) * SHOWN.columns);
    const pictures = await Promise.all(
      shown.map(async ({ image }) => picture(await resizeImage(image, SHOWN.size, SHOWN.size))),
    );
    for (let line = 0; line < SHOWN.size / 2; line++) lines.push(pictures.map((each) => each[line]!).join('   '));
    lines.push(shown.map(caption).join('   '), '');
  }
  const right = verdicts.filter(({ guess, label }) => guess === label).length;
  return [
    `Pictures that it has not seen:`,
    '',
    ...lines,
    `${(100 * accuracy).toFixed(1)}% of ${verdicts.length} unseen pictures right (${right}), after ${steps} steps in ${seconds.toFixed(1)} s`,
    ...(sheet === false ? [] : [`more of them: ${sheet}`]),
  ].join('\n');
}

async function formatPhotos({ net, accuracy, classes, seen }: Photos, theirs: boolean): Promise<string> {
  const lines = [
    `${paint('bold', net)}, whose weights come with Cortado, names ${(100 * accuracy).toFixed(2)}% of CIFAR-10's 10,000 test pictures rightly.`,
  ];
  for (const { name, image, predictions } of seen) {
    const answers = predictions.map(({ label, score }) => `${label} ${Math.round(100 * score)}%`);
    const small = picture(await resizeImage(image, SHOWN.size, SHOWN.size));
    lines.push(
      '',
      basename(name),
      ...small.map((line, i) => (answers[i] === undefined ? line : `${line}  ${answers[i]}`)),
    );
  }
  if (!theirs) lines.push('', `Photographs of yours: "cortado demo --photos FOLDER". It knows ${classes.join(', ')}.`);
  return lines.join('\n');
}

function caption({ guess, label, confidence }: Verdict): string {
  const right = guess === label;
  const text = `${right ? '✓' : '✗'} ${classes[guess]!} ${Math.round(100 * confidence)}%`;
  return paint(right ? 'green' : 'red', text.padEnd(SHOWN.size));
}
