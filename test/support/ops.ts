/** How an op is tested: against plain loops in double precision, their slopes, and what Caffe computed. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { Random, type Shape, type Tensor, type TensorData } from '../../lib/index.js';
import type { Eager, EagerOptions } from '../../lib/kernels.js';
import { decodeNpy } from '../../lib/npy.js';
import { assertClose } from './compare.js';
import { fixtures } from './fixtures.js';

export { assertClose } from './compare.js';

export type Doubles = Tensor<Float64Array>;

/** An op as plain loops in double precision: inputs (parameters behind them) to outputs. */
export type Loops = (inputs: readonly Doubles[]) => readonly Doubles[];

const size = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);

/** A tensor whose elements are f(0), f(1), … */
export function tensorOf(shape: Shape, f: (i: number) => number): Tensor {
  return { data: filled(new Float32Array(size(shape)), f), shape };
}

/** The same in double precision. */
export function doublesOf(shape: Shape, f: (i: number) => number): Doubles {
  return { data: filled(new Float64Array(size(shape)), f), shape };
}

/** By a loop: from() takes several times as long, and tests make many numbers. */
function filled<T extends Float32Array | Float64Array>(data: T, f: (i: number) => number): T {
  for (let i = 0; i < data.length; i++) data[i] = f(i);
  return data;
}

export function doubles(x: Tensor<TensorData>): Doubles {
  return { data: Float64Array.from(x.data), shape: x.shape };
}

export interface Range {
  /** Default -1. */
  readonly min?: number;
  /** Default 1. */
  readonly max?: number;
  /** Points that every element keeps a distance of 0.05 from: kinks, where a slope means nothing. */
  readonly avoid?: readonly number[];
}

/** Uniform numbers; the same seed gives the same. */
export function random(shape: Shape, seed: number, { min = -1, max = 1, avoid = [] }: Range = {}): Tensor {
  const source = new Random(seed);
  if (avoid.length === 0) return tensorOf(shape, () => source.uniform(min, max));
  return tensorOf(shape, () => {
    let x = source.uniform(min, max);
    while (avoid.some((point) => Math.abs(x - point) < 0.05)) x = source.uniform(min, max);
    return x;
  });
}

/** Numbers around 0 of which no two are closer than 0.1, in random order: for maxima, whose slopes jump where two are equal. */
export function distinct(shape: Shape, seed: number): Tensor {
  const source = new Random(seed);
  const n = size(shape);
  const ranks = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = source.below(i + 1);
    [ranks[i], ranks[j]] = [ranks[j]!, ranks[i]!];
  }
  return tensorOf(shape, (i) => (ranks[i]! - n / 2) * 0.1 + 0.03);
}

/** Whole numbers from 0 to below `limit`. */
export function whole(shape: Shape, limit: number, seed: number): Tensor {
  const source = new Random(seed);
  return tensorOf(shape, () => source.below(limit));
}

/** Slope of Σ y · dy in every element of input `wrt`, by central differences. */
export function centralDifferences(
  f: Loops,
  inputs: readonly Doubles[],
  dys: readonly Tensor[],
  wrt: number,
  step = 1e-5,
): Doubles {
  const x = inputs[wrt]!;
  const at = (i: number, value: number): number => {
    const moved = { data: x.data.with(i, value), shape: x.shape };
    const ys = f(inputs.map((input, k) => (k === wrt ? moved : input)));
    return ys.reduce(
      (total, y, k) => total + (dys[k] ? y.data.reduce((sum, v, j) => sum + v * dys[k]!.data[j]!, 0) : 0),
      0,
    );
  };
  return doublesOf(x.shape, (i) => (at(i, x.data[i]! + step) - at(i, x.data[i]! - step)) / (2 * step));
}

/** Runs an op forward and, given gradients of its outputs, backward. */
export async function runOp<O extends object>(
  op: Eager<O>,
  inputs: readonly Tensor[],
  options: Partial<O> & EagerOptions,
  dys?: readonly (Tensor | undefined)[],
): Promise<{ outputs: readonly Tensor[]; gradients: readonly Tensor[] }> {
  const outputs = await op(inputs, options);
  return { outputs, gradients: dys ? await op.backward(inputs, dys, options) : [] };
}

export interface Agreement {
  /** Inputs (and parameters) whose gradients are compared. Default: all. */
  readonly wrt?: readonly number[];
  /** Share of the largest magnitude that an output may be off. Default 1e-5. */
  readonly tolerance?: number;
  /** The same for gradients. Default 1e-4. */
  readonly gradientTolerance?: number;
}

/** Fails unless an op's outputs agree with the loops, and its gradients with the slopes of the loops. */
export async function assertAgrees<O extends object>(
  op: Eager<O>,
  inputs: readonly Tensor[],
  options: Partial<O> & EagerOptions,
  loops: Loops,
  { wrt = inputs.map((_, i) => i), tolerance = 1e-5, gradientTolerance = 1e-4 }: Agreement = {},
): Promise<void> {
  const exact = inputs.map(doubles);
  const want = loops(exact);
  const dys = want.map((y, i) => random(y.shape, 1000 + i));
  const { outputs, gradients } = await runOp(op, inputs, options, wrt.length > 0 ? dys : undefined);
  want.forEach((y, i) => {
    assertSameShape(outputs[i]!.shape, y.shape, `output ${i}`);
    assertClose(outputs[i]!.data, y.data, `output ${i}`, tolerance);
  });
  for (const i of wrt) {
    const slope = centralDifferences(loops, exact, dys, i);
    // A gradient that is zero everywhere still has the rounding of its own terms: measure it by dy.
    const scale = Math.max(...slope.data.map(Math.abs), 0.01);
    assertClose(gradients[i]!.data, slope.data, `gradient of input ${i}`, gradientTolerance, scale);
  }
}

function assertSameShape(got: Shape, want: Shape, what: string): void {
  if (got.join() !== want.join())
    throw new Error(`${what}: expected shape (${want.join(', ')}), got (${got.join(', ')})`);
}

/** Random shapes of that many axes. */
export function shapes(minRank: number, maxRank: number, maxExtent = 5): fc.Arbitrary<number[]> {
  return fc.array(fc.integer({ min: 1, max: maxExtent }), { minLength: minRank, maxLength: maxRank });
}

export const seeds = fc.nat(0xffff);

/** Numbers between two others in steps of 1/64, which float32 holds exactly. */
export function fractions(min: number, max: number): fc.Arbitrary<number> {
  return fc.integer({ min: Math.ceil(min * 64), max: Math.floor(max * 64) }).map((n) => n / 64);
}

/** Cases of a property; sanitizers, under which each takes many times as long, look at fewer (.ci/run). */
const RUNS = Number(process.env.CORTADO_CASES ?? 25);

/** Checks a property on random cases, the same ones every time; a failure is shrunk to the smallest case. */
export async function forAll<T>(arbitrary: fc.Arbitrary<T>, property: (value: T) => Promise<void>): Promise<void> {
  await fc.assert(fc.asyncProperty(arbitrary, property), { numRuns: RUNS, seed: 20260101 });
}

/** One case of Caffe's outputs: its bottoms, parameters and tops, and their gradients where Caffe stored them. */
interface CaffeCase {
  readonly name: string;
  readonly phase: 'TRAIN' | 'TEST';
  readonly bottoms: readonly Entry[];
  readonly params: readonly Entry[];
  readonly tops: readonly Entry[];
}

interface Entry {
  readonly file: string;
  readonly diff?: { readonly file: string } | null;
}

/** Fails unless an op agrees with Caffe, forward and backward, to 1e-5 of the blob's largest magnitude. */
export async function assertAgreesWithCaffe<O extends object>(
  folder: string,
  name: string,
  op: Eager<O>,
  options: Partial<O>,
): Promise<void> {
  const manifest = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')) as { cases: readonly CaffeCase[] };
  const found = manifest.cases.find((c) => c.name === name);
  if (!found) throw new Error(`no case ${name} in ${folder}`);
  const read = async (file: string): Promise<Tensor> => {
    const { data, shape } = decodeNpy(await readFile(join(folder, file)), file);
    return { data: Float32Array.from(data), shape };
  };
  const sources = [...found.bottoms, ...found.params];
  const inputs = await Promise.all(sources.map((entry) => read(entry.file)));
  const dys = await Promise.all(found.tops.map(async (top) => (top.diff ? await read(top.diff.file) : undefined)));
  const phase = found.phase === 'TRAIN' ? 'train' : 'test';
  const backward = sources.some((entry) => entry.diff) && dys.some((dy) => dy);
  const { outputs, gradients } = await runOp(op, inputs, { ...options, phase }, backward ? dys : undefined);
  for (const [i, top] of found.tops.entries()) {
    const want = await read(top.file);
    assertSameShape(outputs[i]!.shape, want.shape, `${name} top ${i}`);
    assertClose(outputs[i]!.data, want.data, `${name} top ${i}`);
  }
  for (const [i, entry] of sources.entries()) {
    if (entry.diff) assertClose(gradients[i]!.data, (await read(entry.diff.file)).data, `${name} gradient ${i}`);
  }
}

/** Makes a test for each case of Caffe's outputs: op options by the case's name. Skipped where the outputs are missing. */
export function describeCaffe<O extends object>(op: Eager<O>, cases: Readonly<Record<string, Partial<O>>>): void {
  for (const [name, options] of Object.entries(cases)) {
    it(`agrees with Caffe's ${name}`, async function () {
      const folder = fixtures('layers');
      if (!folder) return this.skip();
      await assertAgreesWithCaffe(folder, name, op, options);
    });
  }
}
