import { setTimeout } from 'node:timers/promises';

/** Waits until no process has this id. @throws when it still runs after ten seconds */
export async function gone(pid: number): Promise<void> {
  const end = performance.now() + 10_000;
  while (performance.now() < end) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await setTimeout(20);
  }
  throw new Error(`process ${pid} still runs`);
}
