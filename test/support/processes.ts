import { setTimeout } from 'node:timers/promises';

/** Waits until no process has this id. @throws when it still runs after ten seconds */
export async function gone(pid: number): Promise<void> {
  for (const end = performance.now() + 10_000; performance.now() < end; await setTimeout(20))
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
  throw new Error(`process ${pid} still runs`);
}
