import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker, type WorkerOptions } from 'node:worker_threads';

/**
 * Starts a thread with a module of this package.
 * @param module Its path from the caller as it is compiled: `./worker.js`.
 * @param caller `import.meta.url` of the caller.
 */
export function startThread(module: string, caller: string, options: WorkerOptions = {}): Worker {
  const file = new URL(module, caller);
  if (!new URL(caller).pathname.endsWith('.ts')) return new Worker(file, options);
  // Run from the sources: a thread does not inherit what compiles them for the main thread.
  const compiler = pathToFileURL(
    createRequire(caller)
      .resolve('tsx/esm/api')
      .replace(/\.cjs$/, '.mjs'),
  ).href;
  const code = `import(${JSON.stringify(compiler)}).then(({ register }) => {
    register();
    return import(${JSON.stringify(file.href)});
  });`;
  return new Worker(code, { ...options, eval: true });
}
