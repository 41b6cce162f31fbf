import type { Device } from '../device.js';
import { ops, type Eager } from '../kernels.js';
import { Random } from '../random.js';
import { count } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { CASES, type Case, type Content } from './cases.js';

/** How far a device is from the CPU in one case. Errors are shares of the largest magnitude. */
export interface Verdict {
  readonly op: string;
  readonly precision: VerifiedPrecision;
  readonly options: string;
  /** Worst error of the outputs, and of the gradients. */
  readonly forward: number;
  readonly backward: number;
  /** How far the gradients are from the measured slope of the device's own outputs; undefined where none can be measured. */
  readonly slope: number | undefined;
  readonly ok: boolean;
}

/** Precisions that a case is judged in; the CPU's answer is float32's in each. */
type VerifiedPrecision = 'float32' | 'bfloat16' | 'float16';
/**
 * Largest errors. In 16 bits each factor is off by half a unit of its last digit at most, 2^-9 or 2^-12 of it, and so is the
 * result: a sum by all three where its terms have one sign, by more where they cancel.
 */
const BOUNDS: Readonly<Record<VerifiedPrecision, number>> = {
  float32: 1e-5,
  bfloat16: 8 * 2 ** -9,
  float16: 8 * 2 ** -12,
};
/** Of differences of float32 numbers. */
const SLOPE = 2e-2;
/** Ops that multiply in the precision asked for; the others compute in float32. */
const PRODUCTS: ReadonlySet<string> = new Set(['conv2d', 'deconv2d', 'dense']);

/** Runs every case on the device and on the CPU, products in 16 bits too where it has them; `onCase` is told of each. */
export async function verify(
  { name, precisions: offered }: Pick<Device, 'name' | 'precisions'>,
  onCase: (verdict: Verdict) => void,
): Promise<readonly Verdict[]> {
  const verdicts = [];
  for (const [i, one] of CASES.entries()) {
    const halves = PRODUCTS.has(one.op) ? (['bfloat16', 'float16'] as const) : [];
    const precisions = ['float32' as const, ...halves.filter((precision) => offered.includes(precision))];
    for (const precision of precisions) {
      const verdict = await judge(one, name, precision, i + 1);
      verdicts.push(verdict);
      onCase(verdict);
    }
  }
  return verdicts;
}

interface Answer {
  readonly outputs: readonly Tensor[];
  readonly gradients: readonly Tensor[];
}

async function judge(one: Case, device: string, precision: VerifiedPrecision, seed: number): Promise<Verdict> {
  const call = (ops as unknown as Record<string, Eager<object>>)[one.op]!;
  const inputs = one.inputs.map((content, i) => fill(content, 100 * seed + i));
  const options = { phase: 'train' as const, ...one.options };
  const dys = (outputs: readonly Tensor[]): Tensor[] =>
    outputs.map(({ shape }, i) => fill({ shape }, 100 * seed + 50 + i));
  const differentiable = one.op !== 'accuracy' && one.op !== 'argmax' && one.op !== 'threshold';
  const on = async (where: string, precision: VerifiedPrecision): Promise<Answer> => {
    const there = { ...options, device: where, precision };
    const outputs = await call(inputs, there);
    const gradients = differentiable ? await call.backward(inputs, dys(outputs), there) : [];
    return { outputs, gradients };
  };
  const [got, want] = [await on(device, precision), await on('cpu', 'float32')];
  const forward = Math.max(...want.outputs.map((y, i) => distance(got.outputs[i]!, y)));
  const backward = Math.max(0, ...want.gradients.map((dx, i) => distance(got.gradients[i]!, dx)));
  const along = async (step: number): Promise<number> => {
    const moved = inputs.map((input, i) => (isFixed(one.inputs[i]!) ? input : move(input, 100 * seed + 70 + i, step)));
    const outputs = await call(moved, { ...options, device });
    return outputs.reduce((sum, y, i) => sum + dot(y, dys(outputs)[i]!), 0);
  };
  // Rounding makes steps of the outputs, which have no slope.
  const measured = differentiable && !one.rough && precision === 'float32';
  const slope = measured ? await compareSlope(one, inputs, got.gradients, seed, along) : undefined;
  const bound = BOUNDS[precision];
  const ok = forward <= bound && backward <= bound && (slope === undefined || slope <= SLOPE);
  return { op: one.op, precision, options: JSON.stringify(one.options ?? {}), forward, backward, slope, ok };
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
