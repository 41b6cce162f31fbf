/**
 * Trains one of Caffe's nets for CIFAR-10 with Caffe's schedule: `npx tsx examples/cifar10/train.ts full FOLDER [UPDATES]`.
 * The folder holds train/CLASS/*.jpg and test/CLASS/*.jpg; the log says the accuracy after every thousand updates.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cifar10Full, cifar10Quick, compile, sgd, type Feed } from '../../lib/index.js';
import { Order } from '../../lib/data/index.js';
import { decodeImage } from '../../lib/images/index.js';
import { saveCheckpoint } from '../../lib/train/index.js';

const BATCH = 100;
const PIXELS = 3 * 32 * 32;

/** Rates by the update from which on they hold. */
const NETS = {
  full: { graph: cifar10Full(), updates: 70_000, rates: { 0: 1e-3, 60_000: 1e-4, 65_000: 1e-5 } },
  quick: { graph: cifar10Quick(), updates: 5_000, rates: { 0: 1e-3, 4_000: 1e-4 } },
} as const;

/** Pictures as planes of blue, green and red, in one shuffled order. */
interface Pictures {
  readonly pixels: Uint8Array;
  readonly labels: Uint8Array;
}

const [name = 'full', folder = '.', updates] = process.argv.slice(2);
if (name !== 'full' && name !== 'quick') throw new Error(`expected full or quick, got ${name}`);
const net = NETS[name];
const [train, test] = [await load(join(folder, 'train')), await load(join(folder, 'test'))];
const mean = meanOf(train);
await using model = await compile(net.graph, {
  batch: BATCH,
  seed: 1,
  threads: 1,
  solver: sgd({ rate: 1e-3, momentum: 0.9, weightDecay: 0.004 }),
});
const last = updates === undefined ? net.updates : Number(updates);
for (let i = 0; i < last; i++) {
  model.rate = Object.entries(net.rates).findLast(([from]) => i >= Number(from))![1];
  const { loss } = await model.step(batch(train, i));
  if ((i + 1) % 100 === 0) console.log(`${i + 1}\t${loss.toFixed(5)}`);
  if ((i + 1) % 1000 === 0) console.log(`test\t${i + 1}\t${(await accuracy()).toFixed(4)}`);
  if ((i + 1) % 5000 === 0) console.log(await saveCheckpoint(model, `cifar10_${name}`));
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

async function accuracy(): Promise<number> {
  const batches = test.labels.length / BATCH;
  let sum = 0;
  for (let i = 0; i < batches; i++) sum += (await model.forward(batch(test, i))).accuracy.data[0]!;
  return sum / batches;
}
