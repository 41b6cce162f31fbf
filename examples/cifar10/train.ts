/**
 * Trains one of Caffe's nets for CIFAR-10 with Caffe's schedule: `npx tsx examples/cifar10/train.ts full FOLDER [UPDATES]`,
 * or `full_no_lrn`, or `quick`.
 * The folder holds train/CLASS/*.jpg and test/CLASS/*.jpg. Prints a log that `cortado plot` draws.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readNet } from '../../lib/caffe/index.js';
import { compile, sgd, type Feed } from '../../lib/index.js';
import { Order } from '../../lib/data/index.js';
import { decodeImage } from '../../lib/images/index.js';
import { saveCheckpoint } from '../../lib/train/index.js';

const BATCH = 100;
const PIXELS = 3 * 32 * 32;

/** Rates by the update from which on they hold. */
const LONG = { updates: 70_000, test: 1000, rates: { 0: 1e-3, 60_000: 1e-4, 65_000: 1e-5 } };
const SCHEDULES = {
  full: LONG,
  full_no_lrn: LONG,
  quick: { updates: 5_000, test: 500, rates: { 0: 1e-3, 4_000: 1e-4 } },
} as const;

/** Pictures as planes of blue, green and red, in one shuffled order. */
interface Pictures {
  readonly pixels: Uint8Array;
  readonly labels: Uint8Array;
}

const [name = 'full', folder = '.', updates] = process.argv.slice(2);
if (!isNet(name)) throw new Error(`expected one of ${Object.keys(SCHEDULES).join(', ')}, got ${name}`);
const schedule: { updates: number; test: number; rates: Record<number, number> } = SCHEDULES[name];
// The net for tests has the accuracy besides all that the other has.
const { graph } = await readNet(join(import.meta.dirname, `cifar10_${name}_train_test.prototxt`), {
  phase: 'TEST',
  batch: BATCH,
  shapes: { data: [3, 32, 32], label: [] },
});
const [train, test] = [await load(join(folder, 'train')), await load(join(folder, 'test'))];
const mean = meanOf(train);
await using model = await compile(graph, {
  batch: BATCH,
  seed: 1,
  threads: 1,
  solver: sgd({ rate: 1e-3, momentum: 0.9, weightDecay: 0.004 }),
});
const last = updates === undefined ? schedule.updates : Number(updates);
for (let i = 0; i < last; i++) {
  model.rate = Object.entries(schedule.rates).findLast(([from]) => i >= Number(from))![1];
  const { loss } = await model.step(batch(train, i));
  const iteration = i + 1;
  if (iteration % 100 === 0) log({ type: 'step', iteration, metrics: { loss } });
  if (iteration % schedule.test === 0) log({ type: 'evaluation', iteration, metrics: await evaluate() });
  if (iteration % 5000 === 0) await saveCheckpoint(model, `cifar10_${name}`);
}

function isNet(text: string): text is keyof typeof SCHEDULES {
  return Object.hasOwn(SCHEDULES, text);
}

function log(entry: object): void {
  console.log(JSON.stringify(entry));
}

async function load(root: string): Promise<Pictures> {
  const classes = (await readdir(root)).sort();
  const lists = await Promise.all(
    classes.map(async (of, label) =>
      (await readdir(join(root, of))).sort().map((file) => ({ path: join(root, of, file), label })),
    ),
  );
  const files = lists.flat();
  const order = new Order(files.length, 1, 0);
  const made = { pixels: new Uint8Array(files.length * PIXELS), labels: new Uint8Array(files.length) };
  const fill = async (i: number): Promise<void> => {
    const { path, label } = files[order.at(i)]!;
    const { data } = await decodeImage(path);
    made.labels[i] = label;
    for (let p = 0; p < PIXELS; p++) made.pixels[i * PIXELS + p] = data[3 * (p % 1024) + 2 - Math.floor(p / 1024)]!;
  };
  for (let i = 0; i < files.length; i += 16)
    await Promise.all(Array.from({ length: Math.min(16, files.length - i) }, (_, k) => fill(i + k)));
  return made;
}

function meanOf({ pixels, labels }: Pictures): Float32Array {
  const sums = new Float64Array(PIXELS);
  for (let i = 0; i < pixels.length; i++) sums[i % PIXELS]! += pixels[i]!;
  return Float32Array.from(sums, (sum) => sum / labels.length);
}

/** The batch of a number, over the end of the pictures and on from their beginning. */
function batch({ pixels, labels }: Pictures, number: number): { data: Feed; label: Feed } {
  const data = new Float32Array(BATCH * PIXELS);
  const label = new Float32Array(BATCH);
  for (let j = 0; j < BATCH; j++) {
    const from = (number * BATCH + j) % labels.length;
    label[j] = labels[from]!;
    for (let p = 0; p < PIXELS; p++) data[j * PIXELS + p] = pixels[from * PIXELS + p]! - mean[p]!;
  }
  return { data, label };
}

async function evaluate(): Promise<Record<string, number>> {
  const batches = test.labels.length / BATCH;
  const sums = { accuracy: 0, loss: 0 };
  for (let i = 0; i < batches; i++) {
    const { accuracy, loss } = await model.forward(batch(test, i));
    sums.accuracy += accuracy!.data[0]!;
    sums.loss += loss!.data[0]!;
  }
  return { accuracy: sums.accuracy / batches, loss: sums.loss / batches };
}
