import {
  compile,
  conv2d,
  dense,
  dropout,
  graph,
  input,
  lrn,
  maxPool,
  relu,
  softmax,
  summarize,
  type Shape,
  type Value,
} from '../lib/index.js';
import type { Peak } from '../lib/probe.js';
import type { Precision } from '../lib/passes/index.js';
import { median, noise } from './timing.js';

/** One kernel on one of AlexNet's real shapes. */
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

interface Case {
  readonly name: string;
  readonly input: Shape;
  readonly build: (x: Value) => Value;
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

/** Where to time, and what products may round their inputs to. */
export interface Where {
  readonly device?: string;
  readonly precision?: Precision;
}

/** Times every kernel of AlexNet at these batch sizes, forward and each gradient by itself. */
export async function benchKernels(
  batches: readonly number[],
  peak: Pick<Peak, 'gflops' | 'gbps'>,
  seconds: number,
  filter: RegExp,
  where: Where = {},
): Promise<KernelRow[]> {
  const rows: KernelRow[] = [];
  for (const batch of batches) {
    for (const one of CASES)
      if (filter.test(`kernel/${one.name}/b${batch}`))
        rows.push(...(await benchCase(one, batch, peak, seconds, where)));
  }
  if (filter.test('kernel/gemm/b1024')) rows.push(...(await benchCase(GEMM, 1024, peak, seconds, where)));
  return rows;
}

async function benchCase(
  { name, input: shape, build }: Case,
  batch: number,
  peak: Pick<Peak, 'gflops' | 'gbps'>,
  seconds: number,
  where: Where,
): Promise<KernelRow[]> {
  const net = graph({ x: input(shape) }, ({ x }) => ({ y: build(x) }));
  const [row] = summarize(net, batch).layers;
  const x = noise(
    net.inputs.x.shape.reduce((a, b) => a * b, batch),
    2,
  );
  const dy = noise(row!.output.reduce((a, b) => a * b, 1));
  const model = await compile(net, { batch, ...where });
  const times = new Map<string, number[]>();
  try {
    const of = ['x', ...net.parameters.map((p) => p.name)];
    // conv1's input gradient is never needed to train; its cost is still a kernel's.
    for (
      const end = performance.now() + seconds * 1000;
      performance.now() < end || (times.get(name)?.length ?? 0) < 11;
    ) {
      const run = new Map<string, number>();
      // A pass may be several kernels, such as Winograd's filters and the convolution with them.
      for (const { label, milliseconds } of await model.profile({ x }, { of, from: { [name]: dy }, phase: 'train' }))
        run.set(label, (run.get(label) ?? 0) + milliseconds);
      for (const [label, milliseconds] of run) times.set(label, [...(times.get(label) ?? []), milliseconds]);
    }
  } finally {
    model.dispose();
  }
  return [...times].map(([label, all]) => {
    const ms = median(all.slice(1));
    const kernel = label === name ? 'forward' : label.slice(name.length + 1);
    const gflops = row!.flops / ms / 1e6;
    const gbps = row!.bytes / ms / 1e6;
    return { layer: name, kernel, batch, ms, gflops, gbps, share: Math.max(gflops / peak.gflops, gbps / peak.gbps) };
  });
}
