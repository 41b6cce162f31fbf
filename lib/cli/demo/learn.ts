import { setImmediate } from 'node:timers/promises';
import { compile } from '../../compile.js';
import type { Model } from '../../model.js';
import { Random } from '../../random.js';
import { sgd } from '../../solvers/rules.js';
import { batchOf, shapeNet } from './net.js';
import { classes, drawExample, type Example } from './shapes.js';

/** What the net says of a picture that it has never seen. */
export interface Verdict extends Example {
  readonly guess: number;
  readonly confidence: number;
}

export interface Learned {
  readonly steps: number;
  readonly seconds: number;
  readonly loss: number;
  readonly verdicts: readonly Verdict[];
  /** Share of the verdicts that are right. */
  readonly accuracy: number;
}

export interface LearnOptions {
  readonly seed: number;
  readonly device: string;
  readonly threads?: number | undefined;
  /** Default STEPS. */
  readonly steps?: number;
  readonly onStep: (step: number, loss: number) => void;
}

type ShapeModel = Model<'data' | 'label', 'prob' | 'loss'>;

export const STEPS = 600;
const BATCH = 64;
/** Pictures to learn from at first, and how many of them each step replaces: nothing is worth learning by heart. */
const SEEN = 2000;
const FRESH = 16;
const UNSEEN = 1000;
const RATE = 0.04;

/** Draws pictures, learns from them, and judges others: the same for a seed whatever the machine, but for rounding. */
export async function learn(options: LearnOptions): Promise<Learned> {
  const { seed, device, threads, steps = STEPS, onStep } = options;
  const started = performance.now();
  const random = new Random(seed);
  const seen = await draw(random, SEEN);
  const solver = sgd({ rate: RATE, momentum: 0.9, weightDecay: 5e-4 });
  const settings = { device, batch: BATCH, seed, solver, ...(threads !== undefined && { threads }) };
  await using model = await compile(shapeNet(), settings);
  let smooth = Math.log(classes.length);
  for (let step = 0; step < steps; step++) {
    // The last third in small steps, so that it settles.
    model.rate = step < (2 * steps) / 3 ? RATE : RATE / 10;
    const batch = Array.from({ length: BATCH }, () => seen[random.below(SEEN)]!);
    const running = model.step(batchOf(batch));
    // Drawn while the step runs on its own threads.
    const fresh = Array.from({ length: FRESH }, () => drawExample(random));
    fresh.forEach((example, i) => (seen[(step * FRESH + i) % SEEN] = example));
    const { loss } = await running;
    smooth = 0.95 * smooth + 0.05 * loss;
    onStep(step + 1, smooth);
  }
  const seconds = (performance.now() - started) / 1000;
  const verdicts = await judge(model, await draw(new Random(seed, 1), UNSEEN));
  const right = verdicts.filter(({ guess, label }) => guess === label).length;
  return { steps, seconds, loss: smooth, verdicts, accuracy: right / verdicts.length };
}

async function draw(random: Random, count: number): Promise<Example[]> {
  const drawn: Example[] = [];
  while (drawn.length < count) {
    drawn.push(drawExample(random));
    if (drawn.length % 16 === 0) await setImmediate();
  }
  return drawn;
}

async function judge(model: ShapeModel, examples: readonly Example[]): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for (let start = 0; start < examples.length; start += BATCH) {
    const part = examples.slice(start, start + BATCH);
    const { prob } = await model.forward({ data: batchOf(part).data });
    part.forEach((example, i) => {
      const own = prob.data.subarray(i * classes.length, (i + 1) * classes.length);
      const guess = own.indexOf(Math.max(...own));
      verdicts.push({ ...example, guess, confidence: own[guess]! });
    });
  }
  return verdicts;
}
