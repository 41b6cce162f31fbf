/** PyTorch's AlexNet on a GPU: which of its variants are timed, in which order, and how, where it has to compile first. */
import { resolve } from 'node:path';
import type { NetRow } from './nets.js';
import { benchPeers, PEERS, type PeerSettings } from './peers.js';

/** The ways of PyTorch's users that the script of PEERS lacks. */
const OURS = resolve(import.meta.dirname, 'gpu_peers.py');

export interface TorchCase {
  readonly script: string;
  /** As in the rows: `eager+graph/bvlc/train/b128`. */
  readonly name: string;
}

/** Cases that one process times. */
export type TorchGroup = readonly TorchCase[];

/** What tells most, and takes longest to compile, comes first. */
const WORKS = ['train/b128', 'train/b256', 'infer/b128', 'infer/b1', 'infer/b256'];

const group = (script: string, ...variants: string[]): TorchGroup =>
  variants.flatMap((variant) =>
    // The other script does not know inference at 256.
    WORKS.filter((work) => script === OURS || work !== 'infer/b256').map((work) => {
      return { script, name: `${variant}/bvlc/${work}` };
    }),
  );

export const EAGER: readonly TorchGroup[] = [
  group(OURS, 'eager+channels_last+bf16+graph', 'eager+channels_last+bf16'),
  group(OURS, 'eager+channels_last+tf32+graph', 'eager+channels_last+tf32'),
  group(OURS, 'eager+channels_last+graph', 'eager+graph'),
  group(PEERS, 'eager+channels_last', 'eager'),
];

/** Those that tell most come first: the minutes may be over before the last. Of a work, all are compiled before the next. */
export const COMPILED: readonly TorchGroup[] = [
  group(PEERS, 'compile+channels_last+bf16'),
  group(OURS, 'compile-default+channels_last+bf16'),
  group(PEERS, 'compile+tf32+channels_last'),
  group(OURS, 'compile-default+channels_last+tf32'),
  group(PEERS, 'compile+channels_last'),
  group(OURS, 'compile-default+channels_last'),
  group(PEERS, 'compile+bf16', 'compile'),
];

/** A case that was not timed. */
export interface Missed {
  readonly name: string;
  readonly why: string;
}

export interface TorchResults {
  readonly rows: readonly NetRow[];
  readonly missed: readonly Missed[];
}

/** Times the cases of one group: each of them is in the rows or was missed. */
export async function timeTorch(
  cases: TorchGroup,
  seconds: number,
  threads: number,
  settings: PeerSettings,
): Promise<TorchResults> {
  const names = cases.map(({ name }) => name.replace(/\+/g, '\\+'));
  const { rows, skipped } = await benchPeers(cases[0]!.script, `:(${names.join('|')})$`, seconds, threads, settings);
  const timed = rows.map(({ who, work, batch }) => `${who}/${work}/b${batch}`);
  const own = (name: string): string | undefined => skipped.find((line) => line.includes(`:${name}: `));
  // What ended the script, or kept it from its work.
  const general = skipped.filter((line) => !cases.some(({ name }) => own(name) === line)).join('; ');
  const missed = cases
    .filter(({ name }) => !timed.some((one) => one.endsWith(`:${name}`)))
    .map(({ name }) => ({ name, why: own(name)?.split(`:${name}: `)[1] ?? (general || 'unknown to the script') }));
  return { rows, missed };
}

export interface Warmed {
  /** Cases that were compiled in time. */
  readonly warm: ReadonlySet<TorchCase>;
  /** The others. */
  readonly missed: readonly Missed[];
}

/**
 * Lets PyTorch compile what the cases need, `atOnce` of them side by side, a process each, until `signal` ends it. What it
 * compiles and tunes it keeps in one folder (TORCHINDUCTOR_CACHE_DIR, a folder of the user among the temporary ones unless
 * set), where later processes find it: the graphs forward and backward with the algorithms of products and convolutions that
 * were fastest, Triton's binaries, the best configuration of each kernel. Tracing is done anew by each process, and in some
 * versions the descent to the best configuration, for which the binaries are there.
 *
 * Nothing here makes the peer slower than it is by itself: its mode, backends and space of search are its own, and they are
 * what the kept results are filed under. The number of threads is not. Candidates are timed beside other processes, but a
 * GPU runs one process's kernels at a time, and PyTorch goes by the least of many runs.
 */
export async function warmTorch(
  cases: readonly TorchCase[],
  atOnce: number,
  threads: number,
  signal: AbortSignal,
  settings: Omit<PeerSettings, 'signal' | 'quiet'>,
): Promise<Warmed> {
  const workOf = ({ name }: TorchCase): number => WORKS.findIndex((work) => name.endsWith(work));
  const queue = [...cases].sort((a, b) => workOf(a) - workOf(b));
  const warm = new Set<TorchCase>();
  const failed: Missed[] = [];
  const work = async (): Promise<void> => {
    while (queue.length > 0 && !signal.aborted) {
      const one = queue.shift()!;
      const { rows, missed } = await timeTorch([one], 0, threads, { ...settings, signal, quiet: true });
      if (rows.length > 0) warm.add(one);
      else if (!signal.aborted) failed.push(...missed);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  const late = cases.filter((one) => !warm.has(one) && !failed.some(({ name }) => name === one.name));
  return { warm, missed: [...failed, ...late.map(({ name }) => ({ name, why: 'not compiled in time' }))] };
}
