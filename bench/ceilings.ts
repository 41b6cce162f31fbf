import { openDevice } from '../lib/device.js';
import { compile, dense, graph, input } from '../lib/index.js';
import { allocate, prepare } from '../lib/native.js';
import type { Precision } from '../lib/passes/index.js';
import { noise } from './timing.js';

/** The most that the GPU was seen to do in this run. */
export interface Ceiling {
  readonly precision: Precision;
  /** Of a product of three times `size`. */
  readonly gflops: number;
  /** Of a copy, both ways counted. */
  readonly gbps: number;
}

/** GB/s of a copy of size² numbers, the best of some. */
export async function copyRate(size: number, device: string): Promise<number> {
  const bytes = 4 * size * size;
  const memory = allocate(2 * bytes, (await openDevice(device)).native);
  const shape = [size, size];
  const plan = await prepare({
    memories: [memory],
    tensors: [0, bytes].map((offset) => ({ memory: 0, offset, shape, dtype: 'f32' as const })),
    steps: [
      { kernel: 'fill', label: 'touch', inputs: [], outputs: [0], attributes: { value: 1 } },
      { kernel: 'probe_copy', label: 'copy', inputs: [0], outputs: [1], attributes: {} },
    ],
    threads: 1,
  });
  try {
    let best = Infinity;
    for (let i = 0; i < 5; i++) best = Math.min(best, (await plan.run([], true))!.milliseconds![1]!);
    return (2 * bytes) / best / 1e6;
  } finally {
    plan.dispose();
    memory.dispose();
  }
}

/** GFLOP/s of a product of size³, the best of some. It takes the result of another one: as it is stored in that precision. */
export async function productRate(size: number, precision: Precision, device: string): Promise<number> {
  const net = graph({ x: input([size]) }, ({ x }) => {
    const before = dense(x, { name: 'before', units: size, bias: false });
    return { y: dense(before, { name: 'product', units: size, bias: false }) };
  });
  await using model = await compile(net, { batch: size, device, precision });
  const x = noise(size * size);
  let best = Infinity;
  for (let i = 0; i < 5; i++)
    for (const { label, milliseconds } of await model.profile({ x }, { fetch: ['product'] }))
      if (label === 'product') best = Math.min(best, milliseconds);
  return (2 * size ** 3) / best / 1e6;
}
