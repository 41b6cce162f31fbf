import { allocate, info, prepare } from './native.js';

/** What this machine can do at best, measured now: the yardsticks for timings. */
export interface Peak {
  /** Multiply-adds from registers, in GFLOP/s (a multiply-add counts as two). */
  readonly gflops: number;
  /** A copy between two large blocks, in GB/s, both ways counted. */
  readonly gbps: number;
  readonly threads: number;
  readonly isa: string;
}

const LANES: Readonly<Record<string, number>> = { avx512bf16: 16, avx512: 16, avx2: 8 };
const SUMS = 48;
const ROUNDS = 700_000;
/** Far larger than any cache. */
const COPY_BYTES = 256 * 2 ** 20;

/** Measures the machine's peaks on that many threads: the best of some tries, since others may use it too. */
export async function measurePeak(threads = info().threads, tries = 5): Promise<Peak> {
  const { isa } = info();
  const memory = allocate(2 * COPY_BYTES + 256);
  const copy = [COPY_BYTES / 4];
  const plan = await prepare({
    memories: [memory],
    tensors: [
      { memory: 0, offset: 0, shape: copy, dtype: 'f32' },
      { memory: 0, offset: COPY_BYTES, shape: copy, dtype: 'f32' },
      { memory: 0, offset: 2 * COPY_BYTES, shape: [1], dtype: 'f32' },
    ],
    steps: [
      { kernel: 'fill', label: 'touch', inputs: [], outputs: [0], attributes: { value: 1 } },
      { kernel: 'probe_copy', label: 'copy', inputs: [0], outputs: [1], attributes: {} },
      { kernel: 'probe_flops', label: 'flops', inputs: [], outputs: [2], attributes: { rounds: ROUNDS } },
    ],
    threads,
  });
  try {
    let [copyMs, flopsMs] = [Infinity, Infinity];
    for (let i = 0; i < tries; i++) {
      const { milliseconds } = (await plan.run([], true))!;
      copyMs = Math.min(copyMs, milliseconds![1]!);
      flopsMs = Math.min(flopsMs, milliseconds![2]!);
    }
    const flops = 2 * SUMS * (LANES[isa] ?? 4) * ROUNDS * threads;
    return { gflops: flops / flopsMs / 1e6, gbps: (2 * COPY_BYTES) / copyMs / 1e6, threads, isa };
  } finally {
    plan.dispose();
    memory.dispose();
  }
}
