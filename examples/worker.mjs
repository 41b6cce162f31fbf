// Models in worker threads, each with threads and memory of its own: node examples/worker.mjs
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { compile, lenet } from 'cortado';

if (isMainThread) {
  const ask = (value) =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL(import.meta.url), { workerData: value });
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  for (const answer of await Promise.all([ask(0.25), ask(0.75)])) console.log(answer);
} else {
  const model = await compile(lenet(), { threads: 1 });
  const { prob } = await model.forward({ data: new Float32Array(28 * 28).fill(workerData) });
  parentPort.postMessage(`picture of ${workerData}: class ${prob.data.indexOf(Math.max(...prob.data))}`);
  model.dispose();
}
