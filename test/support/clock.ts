import { readFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';

/** What the main thread has had of the machine, in milliseconds. */
export interface ThreadTime {
  /** Time on a core. */
  readonly running: number;
  /** Time in which it was ready to run, but others had the cores. */
  readonly waiting: number;
}

/** Linux counts both for every thread (Documentation/scheduler/sched-stats); undefined elsewhere, or in a worker. */
export function threadTime(): ThreadTime | undefined {
  try {
    const [running, waiting] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ').map(Number);
    return { running: running! / 1e6, waiting: waiting! / 1e6 };
  } catch {
    return undefined;
  }
}

/** Whether others keep the cores so busy that a pause may be theirs. `own` threads are ours. */
export const crowded = (own: number): boolean => loadavg()[0]! > availableParallelism() + own;
