import type { Peak } from '../lib/probe.js';
import { align } from '../lib/table.js';
import type { KernelRow } from './kernels.js';
import type { NetRow } from './nets.js';
import { LEAST_RUNS } from './timing.js';

/** Everything that one run of the benchmark measured. */
export interface Report {
  readonly date: string;
  readonly node: string;
  readonly machine: Peak;
  readonly kernels: readonly KernelRow[];
  readonly nets: readonly NetRow[];
  /** Largest resident sizes, in bytes. */
  readonly memory: Readonly<Record<string, number>>;
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

/** The header of every report. */
export const formatPeak = ({ isa, threads, gflops, gbps }: Peak): string =>
  `${isa}, ${threads} threads; measured peak ${gflops.toFixed(0)} GFLOP/s, ${gbps.toFixed(1)} GB/s`;

export function formatKernels(rows: readonly KernelRow[]): string {
  const header = ['layer', 'pass', 'batch', 'ms', 'GFLOP/s', 'GB/s', 'of peak'];
  return align(
    [
      header,
      ...rows.map((r) => [
        r.layer,
        r.kernel,
        `${r.batch}`,
        r.ms.toFixed(3),
        r.gflops.toFixed(0),
        r.gbps.toFixed(1),
        percent(r.share),
      ]),
    ],
    2,
  );
}

/** Every workload with the ratio of Cortado's rate to each peer's. */
export function formatNets(rows: readonly NetRow[], memory: Readonly<Record<string, number>>): string {
  const ours = new Map(rows.filter((r) => r.who === 'cortado').map((r) => [`${r.work} ${r.batch}`, r]));
  const lines = rows.map((r) => {
    const own = ours.get(`${r.work} ${r.batch}`);
    const ratio = own && own !== r ? `${(own.imagesPerSecond / r.imagesPerSecond).toFixed(2)} x` : '';
    return [r.work, r.who, `${r.batch}`, r.ms.toFixed(1), r.imagesPerSecond.toFixed(1), ratio];
  });
  const few = rows
    .filter((r) => r.repeats < LEAST_RUNS)
    .map((r) => `only ${r.repeats} runs: ${r.work}, ${r.who}, batch ${r.batch}`);
  const sizes = Object.entries(memory).map(
    ([what, bytes]) => `peak memory, ${what}: ${(bytes / 2 ** 20).toFixed(0)} MiB`,
  );
  return [align([['work', 'library', 'batch', 'ms', 'images/s', 'cortado is'], ...lines], 2), ...few, ...sizes].join(
    '\n',
  );
}

const PLACES = { arrays: 'copied by each run', ahead: 'uploaded beside the run before', device: 'on the GPU' } as const;

/** What a name says of the precision, ours (`cortado+bfloat16`) or a peer's (`torch-2.11.0-cuda:compile+bf16`). */
function precisionOf(who: string): string {
  const [, found = 'float32'] = /[+:](bf16|bfloat16|tf32|float16)\b/.exec(who) ?? [];
  return found === 'bf16' ? 'bfloat16' : found;
}

/** Every workload, and how Cortado's compare with the fastest peer in the same precision whose inputs are where its own are. */
export function formatGpuNets(rows: readonly NetRow[]): string {
  const lines = rows.map((r) => {
    const { who, work, batch, inputs = 'arrays', ms, imagesPerSecond } = r;
    const [peer] = rows
      .filter((p) => p.work === work && p.batch === batch && (p.inputs ?? 'arrays') === inputs)
      .filter((p) => !p.who.startsWith('cortado') && precisionOf(p.who) === precisionOf(who))
      .sort((a, b) => b.imagesPerSecond - a.imagesPerSecond);
    const ratio =
      who.startsWith('cortado') && peer
        ? `${(imagesPerSecond / peer.imagesPerSecond).toFixed(2)} x ${peer.who.replace(/^.*:/, '')}`
        : '';
    const inKernels = r.kernels?.reduce((sum, { milliseconds }) => sum + milliseconds, 0).toFixed(2) ?? '';
    return [work, PLACES[inputs], who, `${batch}`, ms.toFixed(2), inKernels, imagesPerSecond.toFixed(0), ratio];
  });
  const head = ['work', 'inputs', 'library', 'batch', 'ms', 'in kernels', 'images/s', 'of the fastest peer'];
  return align([head, ...lines], 3);
}

/** Cases of both reports: how many times faster the newer one is. */
export function compareReports(before: Report, after: Report): string {
  const rows = [
    ...pairs(before.kernels, after.kernels, (r) => `${r.layer} ${r.kernel} b${r.batch}`),
    ...pairs(
      before.nets.filter((r) => r.who === 'cortado'),
      after.nets.filter((r) => r.who === 'cortado'),
      (r) => `${r.work} b${r.batch}`,
    ),
  ];
  if (rows.length === 0) return 'no case in common with the earlier report';
  return align([['case', 'before ms', 'now ms', 'faster'], ...rows], 1);
}

function pairs<R extends { readonly ms: number }>(
  before: readonly R[],
  after: readonly R[],
  key: (row: R) => string,
): string[][] {
  const old = new Map(before.map((r) => [key(r), r.ms]));
  return after.flatMap((r) => {
    const was = old.get(key(r));
    return was === undefined ? [] : [[key(r), was.toFixed(3), r.ms.toFixed(3), `${(was / r.ms).toFixed(2)} x`]];
  });
}
