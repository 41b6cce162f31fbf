import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';

/** The leaders of the groups that run. */
const running = new Set<number>();

export interface Group {
  readonly child: ChildProcessByStdio<null, Readable, null>;
  /** How it came to its end, in words; undefined: well. */
  readonly ended: Promise<string | undefined>;
}

/**
 * Starts a process that takes with it, when it ends, all that it has started: no compiler goes on beside what is timed next.
 * So do `signal` and the end of this process.
 */
export function startGroup(
  command: string,
  args: readonly string[],
  settings: { readonly env?: NodeJS.ProcessEnv; readonly quiet?: boolean; readonly signal?: AbortSignal },
): Group {
  const { env = {}, quiet = false, signal } = settings;
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', quiet ? 'ignore' : 'inherit'],
    env: { ...process.env, ...env },
    detached: true,
  });
  const { pid } = child;
  if (pid !== undefined) watch(pid);
  const stop = (): void => endGroup(pid);
  signal?.addEventListener('abort', stop);
  if (signal?.aborted) stop();
  const ended = once(child, 'exit').then(
    ([code, by]: (number | string | null)[]) => (code === 0 ? undefined : by ? `ended by ${by}` : `exit code ${code}`),
    (error: unknown) => (error as Error).message,
  );
  return {
    child,
    ended: ended.finally(() => {
      stop();
      signal?.removeEventListener('abort', stop);
    }),
  };
}

function endGroup(leader: number | undefined): void {
  if (leader === undefined || !running.delete(leader)) return;
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // All of them are gone.
  }
}

let watching = false;

/** A group is not reached by what ends this process, such as the limit in time of whoever called it. */
function watch(leader: number): void {
  running.add(leader);
  if (watching) return;
  watching = true;
  process.on('exit', () => [...running].forEach(endGroup));
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(name, () => process.exit(128 + constants.signals[name]));
}
