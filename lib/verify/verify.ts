import { ops, type Eager } from '../kernels.js';
import { Random } from '../random.js';
import { count } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { CASES, type Case, type Content } from './cases.js';

/** How far a device is from the CPU in one case. Errors are shares of the largest magnitude. */
export interface Verdict {
  readonly op: string;
  readonly options: string;
  /** Worst error of the outputs, and of the gradients. */
  readonly forward: number;
  readonly backward: number;
  /** How far the gradients are from the measured slope of the device's own outputs; undefined where none can be measured. */
  readonly slope: number | undefined;
  readonly ok: boolean;
}

const FORWARD = 1e-5;
const BACKWARD = 1e-5;
/** Of differences of float32 numbers. */
const SLOPE = 2e-2;

/** Runs every case on the device and on the CPU; `onCase` is told of each. */
export async function verify(device: string, onCase: (verdict: Verdict) => void): Promise<readonly Verdict[]> {
  const verdicts = [];
  for (const [i, one] of CASES.entries()) {
    const verdict = await judge(one, device, i + 1);
    verdicts.push(verdict);
    onCase(verdict);
  }
  return verdicts;
}

interface Answer {
  readonly outputs: readonly Tensor[];
  readonly gradients: readonly Tensor[];
}

async function judge(one: Case, device: string, seed: number): Promise<Verdict> {
  const call = (ops as unknown as Record<string, Eager<object>>)[one.op]!;
  const inputs = one.inputs.map((content, i) => fill(content, 100 * seed + i));
  const options = { phase: 'train' as const, ...one.options };
  const dys = (outputs: readonly Tensor[]): Tensor[] =>
    outputs.map(({ shape }, i) => fill({ shape }, 100 * seed + 50 + i));
  const differentiable = one.op !== 'accuracy' && one.op !== 'argmax' && one.op !== 'threshold';
  const on = async (where: string): Promise<Answer> => {
    const outputs = await call(inputs, { ...options, device: where });
    const gradients = differentiable ? await call.backward(inputs, dys(outputs), { ...options, device: where }) : [];
    return { outputs, gradients };
  };
  const [got, want] = [await on(device), await on('cpu')];
  const forward = Math.max(...want.outputs.map((y, i) => distance(got.outputs[i]!, y)));
  const backward = Math.max(0, ...want.gradients.map((dx, i) => distance(got.gradients[i]!, dx)));
  const along = async (step: number): Promise<number> => {
    const moved = inputs.map((input, i) => (isFixed(one.inputs[i]!) ? input : move(input, 100 * seed + 70 + i, step)));
    const outputs = await call(moved, { ...options, device });
    return outputs.reduce((sum, y, i) => sum + dot(y, dys(outputs)[i]!), 0);
  };
  const measured = differentiable && !one.rough;
  const slope = measured ? await compareSlope(one, inputs, got.gradients, seed, along) : undefined;
  const ok = forward <= FORWARD && backward <= BACKWARD && (slope === undefined || slope <= SLOPE);
  return { op: one.op, options: JSON.stringify(one.options ?? {}), forward, backward, slope, ok };
}

/** The gradients along one random direction against the difference of the outputs on both sides. */
async function compareSlope(
  one: Case,
  inputs: readonly Tensor[],
  gradients: readonly Tensor[],
  seed: number,
  along: (step: number) => Promise<number>,
): Promise<number> {
  const step = 1e-2;
  const measured = ((await along(step)) - (await along(-step))) / (2 * step);
  let told = 0;
  let scale = 0;
  inputs.forEach(({ shape }, i) => {
    if (isFixed(one.inputs[i]!)) return;
    const direction = fill({ shape }, 100 * seed + 70 + i);
    told += dot(gradients[i]!, direction);
    scale += Math.sqrt(dot(gradients[i]!, gradients[i]!) * dot(direction, direction) * count(shape)) / count(shape);
  });
  return Math.abs(told - measured) / Math.max(scale, Math.abs(told), 1e-3);
}

/** Whether nobody asks how the outputs change with it. */
function isFixed({ below, fixed }: Content): boolean {
  return below !== undefined || fixed === true;
}

function fill(
  { shape, below, shift = 0 }: { shape: Tensor['shape']; below?: number; shift?: number },
  seed: number,
): Tensor {
  const random = new Random(seed);
  const next = (): number => (below === undefined ? shift + random.uniform(-1, 1) : random.below(below));
  return { data: Float32Array.from({ length: count(shape) }, next), shape };
}

function move({ data, shape }: Tensor, seed: number, step: number): Tensor {
  const direction = fill({ shape }, seed).data;
  return { data: data.map((v, i) => v + step * direction[i]!), shape };
}

function dot(a: Tensor, b: Tensor): number {
  return a.data.reduce((sum, v, i) => sum + v * b.data[i]!, 0);
}

/** Infinity where the shapes differ or one has a NaN that the other lacks. */
function distance(got: Tensor, want: Tensor): number {
  if (got.data.length !== want.data.length) return Infinity;
  let [worst, most] = [0, 0];
  want.data.forEach((v, i) => {
    const error = Math.abs(got.data[i]! - v);
    worst = Math.max(worst, Number.isNaN(error) ? (Object.is(got.data[i], v) ? 0 : Infinity) : error);
    most = Math.max(most, Math.abs(v));
  });
  return worst === 0 ? 0 : worst / most;
}
