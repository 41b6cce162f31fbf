import { openDevice } from '../../lib/device.js';
import type { Precision } from '../../lib/passes/index.js';

/** Whether the tests run on the simulated GPU, which is some hundred times slower than the CPU. */
export const simulated = process.env.CORTADO_DEVICE === 'cuda-sim';

const gpu = (process.env.CORTADO_DEVICE ?? '').startsWith('cuda') ? process.env.CORTADO_DEVICE : undefined;
const offered: readonly Precision[] = gpu === undefined ? ['float32'] : (await openDevice(gpu)).precisions;

/** What a GPU computes in, the CPU's float32, and how far from Caffe that may be, as a share of the largest number. */
export const PRECISIONS = (
  [
    ['float32', 1e-5],
    ['tf32', 1e-3],
    ['bfloat16', 1e-2],
  ] as const satisfies readonly (readonly [Precision, number])[]
).filter(([precision]) => offered.includes(precision));
