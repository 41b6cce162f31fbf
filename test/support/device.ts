import type { Precision } from '../../lib/passes/index.js';

/** Whether the tests run on the simulated GPU, which is some hundred times slower than the CPU. */
export const simulated = process.env.CORTADO_DEVICE === 'cuda-sim';

/** What the device of the tests can compute in, and how far from float32 that may be, as a share of the largest number. */
export const PRECISIONS: readonly (readonly [Precision, number])[] = (process.env.CORTADO_DEVICE ?? '').startsWith(
  'cuda',
)
  ? [
      ['float32', 1e-5],
      ['tf32', 1e-3],
      ['bfloat16', 1e-2],
    ]
  : [['float32', 1e-5]];
