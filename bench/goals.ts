import type { Precision } from '../lib/passes/index.js';
import { align } from '../lib/table.js';
import type { KernelRow } from './kernels.js';
import { whoOf, type NetRow } from './nets.js';

/** What a workload is to reach: so many times the images per second of the fastest peer of that precision. */
interface Goal {
  readonly work: string;
  readonly batch: number;
  readonly precision: Precision;
  /** Precision of the peers that it is measured against. */
  readonly against: 'float32' | 'bfloat16';
  readonly times: number;
}

const GOALS: readonly Goal[] = [
  { work: 'bvlc/infer', batch: 1, precision: 'float32', against: 'float32', times: 2 },
  { work: 'bvlc/infer', batch: 1, precision: 'bfloat16', against: 'float32', times: 3 },
  { work: 'bvlc/infer', batch: 1, precision: 'int8', against: 'float32', times: 3 },
  { work: 'bvlc/infer', batch: 64, precision: 'float32', against: 'float32', times: 2.5 },
  { work: 'bvlc/infer', batch: 64, precision: 'bfloat16', against: 'bfloat16', times: 2 },
  { work: 'bvlc/train', batch: 64, precision: 'float32', against: 'float32', times: 3.5 },
  { work: 'bvlc/train', batch: 64, precision: 'bfloat16', against: 'bfloat16', times: 2.5 },
  { work: 'cifar10-quick/train', batch: 100, precision: 'float32', against: 'float32', times: 3 },
  { work: 'cifar10-full/train', batch: 100, precision: 'float32', against: 'float32', times: 3 },
];

/** Every goal, who is the fastest peer, and how many times as fast Cortado is. */
export function formatGoals(rows: readonly NetRow[]): string {
  const lines = GOALS.map(({ work, batch, precision, against, times }) => {
    const same = rows.filter((r) => r.work === work && r.batch === batch);
    const own = same.find((r) => r.who === whoOf(precision));
    const [best] = same
      .filter((r) => !r.who.startsWith('cortado') && r.who.endsWith('bf16') === (against === 'bfloat16'))
      .sort((a, b) => b.imagesPerSecond - a.imagesPerSecond);
    const rate = (row: NetRow | undefined): string => row?.imagesPerSecond.toFixed(1) ?? '–';
    const ratio = own && best ? `${(own.imagesPerSecond / best.imagesPerSecond).toFixed(2)} x` : '–';
    return [work, `${batch}`, precision, rate(own), best?.who ?? '–', rate(best), ratio, `${times} x`];
  });
  const header = ['work', 'batch', 'precision', 'cortado', 'fastest peer', 'images/s', 'ratio', 'goal'];
  return align([header, ...lines], 1);
}

/** Kernels that share a goal: the least share of the peak among them. */
const KERNEL_GOALS: readonly { readonly what: string; readonly rows: RegExp; readonly share: number }[] = [
  { what: 'product of 1024 x 1024 x 1024', rows: /^gemm forward/, share: 0.9 },
  { what: 'fc6', rows: /^fc6 /, share: 0.9 },
  { what: 'conv1', rows: /^conv1 (forward|wgrad)/, share: 0.85 },
  { what: 'conv2 to conv5, counted as direct', rows: /^conv[2-5] /, share: 2 },
  { what: 'LRN, pooling, ReLU, dropout (of the copy)', rows: /^(norm|pool|relu|drop)/, share: 0.8 },
];

/** The goals of kernels at batch 64 and above, and which of them is farthest from its own. */
export function formatKernelGoals(rows: readonly KernelRow[]): string {
  const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
  const large = rows.filter((r) => r.batch >= 64);
  const lines = KERNEL_GOALS.flatMap(({ what, rows: wanted, share }) => {
    const [worst] = large.filter((r) => wanted.test(`${r.layer} ${r.kernel}`)).sort((a, b) => a.share - b.share);
    return worst ? [[what, `${worst.layer} ${worst.kernel}`, percent(worst.share), percent(share)]] : [];
  });
  return align([['kernels', 'the slowest', 'of peak', 'goal'], ...lines], 2);
}
