/** Signals by which people and machines end programs. */
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Runs work that Ctrl-C ends in good order; a second Ctrl-C ends the program at once. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = (): void => {
    // What hangs on the exit, such as the cursor of the terminal, is put right by it; a signal would just end the program.
    if (controller.signal.aborted) process.exit(1);
    controller.abort(new Error('interrupted'));
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  try {
    return await work(controller.signal);
  } finally {
    for (const signal of SIGNALS) process.off(signal, stop);
  }
}
