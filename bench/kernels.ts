import {
  abs,
  bias,
  bnll,
  clip,
  conv2d,
  dense,
  dropout,
  eltwise,
  elu,
  exp,
  log,
  lrn,
  maxPool,
  power,
  prelu,
  relu,
  scale,
  sigmoid,
  softmax,
  swish,
  tanh,
  threshold,
  type Shape,
  type Value,
} from '../lib/index.js';
import * as cortado from '../lib/index.js';
import type { Peak } from '../lib/probe.js';
import type { Precision } from '../lib/passes/index.js';
import { collect, median, noise } from './timing.js';

/** One kernel on one shape. */
export interface KernelRow {
  readonly layer: string;
  readonly kernel: string;
  readonly batch: number;
  readonly ms: number;
  readonly gflops: number;
  readonly gbps: number;
  /** Of the peak that binds it: arithmetic or memory, whichever it is nearer to. */
  readonly share: number;
}

export interface Case {
  readonly name: string;
  /** Of each of its inputs, of which there is one unless it says otherwise. */
  readonly input: Shape;
  readonly inputs?: 2;
  readonly build: (x: Value, b: Value) => Value;
}

const conv = (
  name: string,
  channels: number,
  size: number,
  options: Omit<Parameters<typeof conv2d>[1], 'name'>,
): Case => ({
  name,
  input: [channels, size, size],
  build: (x) => conv2d(x, { name, ...options }),
});
const fc = (name: string, inputs: number, units: number): Case => ({
  name,
  input: [inputs],
  build: (x) => dense(x, { name, units }),
});
const pool = (name: string, channels: number, size: number): Case => ({
  name,
  input: [channels, size, size],
  build: (x) => maxPool(x, { name, kernel: 3, stride: 2 }),
});
const norm = (name: string, channels: number, size: number): Case => ({
  name,
  input: [channels, size, size],
  build: (x) => lrn(x, { name, localSize: 5, alpha: 1e-4, beta: 0.75 }),
});

/** A product of three times 1024, the measure that others quote. */
const GEMM: Case = fc('gemm', 1024, 1024);

/** Every layer of bvlc_alexnet. */
const CASES: readonly Case[] = [
  conv('conv1', 3, 227, { filters: 96, kernel: 11, stride: 4 }),
  { name: 'relu1', input: [96, 55, 55], build: (x) => relu(x, { name: 'relu1' }) },
  norm('norm1', 96, 55),
  pool('pool1', 96, 55),
  conv('conv2', 96, 27, { filters: 256, kernel: 5, pad: 2, groups: 2 }),
  norm('norm2', 256, 27),
  pool('pool2', 256, 27),
  conv('conv3', 256, 13, { filters: 384, kernel: 3, pad: 1 }),
  conv('conv4', 384, 13, { filters: 384, kernel: 3, pad: 1, groups: 2 }),
  conv('conv5', 384, 13, { filters: 256, kernel: 3, pad: 1, groups: 2 }),
  pool('pool5', 256, 13),
  fc('fc6', 9216, 4096),
  { name: 'drop6', input: [4096], build: (x) => dropout(x, { name: 'drop6', ratio: 0.5 }) },
  fc('fc7', 4096, 4096),
  fc('fc8', 4096, 1000),
  { name: 'prob', input: [1000], build: (x) => softmax(x, { name: 'prob' }) },
];

const elementwise = (name: string, build: (x: Value, options: { readonly name: string }) => Value): Case => ({
  name,
  input: [96, 55, 55],
  build: (x) => build(x, { name }),
});
const pairwise = (operation: 'sum' | 'prod' | 'max'): Case => ({
  name: operation,
  input: [96, 55, 55],
  inputs: 2,
  build: (x, b) => eltwise([x, b], { name: operation, operation }),
});

/** What computes every element by itself, on the largest activations of AlexNet: these are bound by memory alone. */
export const ELEMENTWISE: readonly Case[] = [
  elementwise('relu', relu),
  elementwise('prelu', prelu),
  elementwise('elu', elu),
  elementwise('sigmoid', sigmoid),
  elementwise('tanh', tanh),
  elementwise('swish', swish),
  elementwise('bnll', bnll),
  elementwise('abs', abs),
  elementwise('exp', exp),
  elementwise('log', (x, { name }) => log(x, { name, shift: 4 })),
  elementwise('power', (x, { name }) => power(x, { name, power: 0.75, shift: 4 })),
  elementwise('clip', (x, { name }) => clip(x, { name, min: -1, max: 1 })),
  elementwise('threshold', threshold),
  elementwise('dropout', dropout),
  elementwise('scale', scale),
  elementwise('bias', bias),
  pairwise('sum'),
  pairwise('prod'),
  pairwise('max'),
];

/** A case at a batch size. */
export interface NamedCase {
  readonly name: string;
  readonly one: Case;
  readonly batch: number;
}

/** Where to time, and what products may round their inputs to. */
export interface Where {
  readonly device?: string;
  readonly precision?: Precision;
}

/** Times kernels, those of AlexNet unless others are given, at these batch sizes, forward and each gradient by itself. */
export async function benchKernels(
  batches: readonly number[],
  peak: Pick<Peak, 'gflops' | 'gbps'>,
  seconds: number,
  filter: RegExp,
  where: Where = {},
): Promise<KernelRow[]> {
  const rows: KernelRow[] = [];
  for (const { name, one, batch } of kernelCases(batches))
    if (filter.test(name)) rows.push(...(await benchCase(one, batch, peak, seconds, where)));
  return rows;
}

/** What benchKernels times, by the names that it is asked for. */
export function kernelCases(batches: readonly number[]): readonly NamedCase[] {
  return [...batches.flatMap((batch) => named(CASES, batch)), ...named([GEMM], 1024)];
}

/** Cases at a batch size, by their names. */
export const named = (cases: readonly Case[], batch: number): NamedCase[] =>
  cases.map((one) => ({ name: `kernel/${one.name}/b${batch}`, one, batch }));

/** What is timed: these sources, or another build of them. */
export type Library = typeof cortado;

/** What one pass of a layer took. A pass may be several kernels, such as Winograd's filters and the convolution with them. */
export interface Pass {
  readonly ms: number;
  readonly bytes: number;
}

/** A case that is ready to run, until it is disposed of. */
export interface OpenCase extends Disposable {
  /** Of each pass. */
  readonly flops: number;
  /** Runs it once; passes by name: `forward`, `dgrad`, ... */
  readonly run: () => Promise<ReadonlyMap<string, Pass>>;
}

export async function openCase(
  { name, input: shape, inputs, build }: Case,
  batch: number,
  where: Where,
  { compile, graph, input, summarize }: Library = cortado,
): Promise<OpenCase> {
  const names = ['x', 'b'].slice(0, inputs ?? 1);
  const net = graph(Object.fromEntries(names.map((name) => [name, input(shape)])), (values) => ({
    y: build(values.x!, values.b!),
  }));
  const [row] = summarize(net, batch).layers;
  const x = noise(
    shape.reduce((a, b) => a * b, batch),
    2,
  );
  const feeds = Object.fromEntries(names.map((name) => [name, x]));
  const from = { [name]: noise(row!.output.reduce((a, b) => a * b, 1)) };
  // conv1's input gradient is never needed to train; its cost is still a kernel's.
  const of = [...names, ...net.parameters.map((p) => p.name)];
  const model = await compile(net, { batch, ...where });
  return {
    flops: row!.flops,
    run: async () => {
      const passes = new Map<string, Pass>();
      for (const { label, milliseconds, bytes } of await model.profile(feeds, { of, from, phase: 'train' })) {
        const pass = label === name ? 'forward' : label.replace(`${name}.`, '');
        const { ms, bytes: before } = passes.get(pass) ?? { ms: 0, bytes: 0 };
        passes.set(pass, { ms: ms + milliseconds, bytes: before + bytes });
      }
      return passes;
    },
    [Symbol.dispose]: () => model.dispose(),
  };
}

/** Times one case: medians of each pass. */
export async function benchCase(
  one: Case,
  batch: number,
  peak: Pick<Peak, 'gflops' | 'gbps'>,
  seconds: number,
  where: Where,
): Promise<KernelRow[]> {
  using open = await openCase(one, batch, where);
  const runs = await collect(open.run, seconds);
  return [...runs[0]!].map(([kernel, { bytes }]) => {
    const ms = median(runs.map((run) => run.get(kernel)!.ms));
    const gflops = open.flops / ms / 1e6;
    const gbps = bytes / ms / 1e6;
    const share = Math.max(gflops / peak.gflops, gbps / peak.gbps);
    return { layer: one.name, kernel, batch, ms, gflops, gbps, share };
  });
}
