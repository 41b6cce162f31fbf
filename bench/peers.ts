import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { startGroup } from './group.js';
import type { NetRow } from './nets.js';
import { LEAST_RUNS } from './timing.js';

/** A script that times other libraries and prints one JSON line a case; see the README of this folder. */
export const PEERS = resolve(process.env.CORTADO_PEERS ?? '../shared/peers/alexnet_peers.py');
/** Ours, for the nets that the other does not know. */
export const CIFAR10_PEERS = resolve(import.meta.dirname, 'cifar10_peers.py');
const PYTHON = process.env.CORTADO_PYTHON ?? 'python3';

interface PeerLine {
  readonly peer: string;
  readonly case?: string;
  readonly batch?: number;
  readonly ms?: number;
  readonly images_per_s?: number;
  readonly repeats?: number;
  readonly error?: string;
}

export interface PeerResults {
  readonly rows: readonly NetRow[];
  /** Variants that could not run, and why. */
  readonly skipped: readonly string[];
  /** Largest resident size of the peer's process, in bytes. */
  readonly peakBytes: number;
}

export interface PeerSettings {
  /** Default: the processor. */
  readonly device?: string;
  /** Ends the script, and all that it has started: the cases that it has printed by then are there. */
  readonly signal?: AbortSignal;
  /** What it finds in its environment beside what is in ours. */
  readonly env?: NodeJS.ProcessEnv;
  /** Throws away what it says beside its results. */
  readonly quiet?: boolean;
}

/** Times the peers' cases that match; nothing but a note when there is no script. */
export async function benchPeers(
  script: string,
  filter: string,
  seconds: number,
  threads: number,
  settings: PeerSettings = {},
): Promise<PeerResults> {
  if (!existsSync(script))
    return { rows: [], skipped: [`no peers: ${script} is not there (CORTADO_PEERS names the script)`], peakBytes: 0 };
  const { device = 'cpu', signal } = settings;
  const rows: NetRow[] = [];
  const skipped: string[] = [];
  const args = [
    script,
    ...(device === 'cpu' ? [] : ['--device', device]),
    ...['--threads', `${threads}`, '--seconds', `${seconds}`, '--case', filter],
  ];
  const { ended, peakBytes } = await run(args, settings, (line) => {
    const result = JSON.parse(line) as PeerLine;
    const { peer, case: work, batch } = result;
    if (result.error !== undefined) skipped.push(`${peer}${work ? `/${work}/b${batch}` : ''}: ${result.error}`);
    else
      rows.push({
        who: peer,
        work: work!,
        batch: batch!,
        ms: result.ms!,
        imagesPerSecond: result.images_per_s!,
        repeats: result.repeats!,
        // On a GPU they time runs whose inputs are there.
        ...(device !== 'cpu' && { inputs: 'device' as const }),
      });
  });
  const why = signal?.aborted ? 'cut off' : ended;
  if (why !== undefined) skipped.push(`peers: ${why} after ${rows.length} cases`);
  return { rows, skipped, peakBytes };
}

/** The same; slow cases, which have had fewer than ten runs, are timed again by themselves for as long as ten take. */
export async function benchPeersLonger(
  script: string,
  filter: string,
  seconds: number,
  threads: number,
): Promise<PeerResults> {
  const first = await benchPeers(script, filter, seconds, threads);
  const rows: NetRow[] = [];
  for (const row of first.rows) {
    const { who, work, batch, ms, repeats } = row;
    const only = `^${`${who}/${work}/b${batch}`.replace(/[+.]/g, '\\$&')}$`;
    const long = (1.2 * LEAST_RUNS * ms) / 1000;
    const again = repeats < LEAST_RUNS ? await benchPeers(script, only, long, threads) : undefined;
    rows.push(again?.rows[0] ?? row);
  }
  return { ...first, rows };
}

/** Runs Python and hands on each line of a result; tells how it ended, unless well, and its largest resident size. */
async function run(
  args: readonly string[],
  settings: PeerSettings,
  onLine: (line: string) => void,
): Promise<{ readonly ended: string | undefined; readonly peakBytes: number }> {
  const { child, ended } = startGroup(PYTHON, args, settings);
  const watch = watchMemory(child.pid);
  for await (const line of createInterface({ input: child.stdout })) if (line.startsWith('{')) onLine(line);
  return { ended: await ended, peakBytes: watch() };
}

/** Reads a process's high-water mark now and then; the returned function ends the watch and tells the largest seen. */
export function watchMemory(pid: number | undefined): () => number {
  let peak = 0;
  const look = (): void => {
    try {
      const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
      peak = Math.max(peak, 1024 * Number(kilobytes ?? 0));
    } catch {
      // Gone already, or not Linux: the last value stands.
    }
  };
  const timer = setInterval(look, 50);
  return () => {
    clearInterval(timer);
    return peak;
  };
}
