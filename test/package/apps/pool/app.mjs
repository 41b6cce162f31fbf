// Four threads, each with a model of its own, answer sixteen questions; the same seed gives each the same net.
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { compile, lenet } from 'cortado';

if (isMainThread) {
  const questions = Array.from({ length: 16 }, (_, i) => i % 4);
  const answers = [];
  const threads = Array.from({ length: 4 }, () => new Worker(new URL(import.meta.url)));
  const work = async (thread) => {
    for (let question = questions.pop(); question !== undefined; question = questions.pop()) {
      thread.postMessage(question);
      answers.push(await new Promise((resolve, reject) => thread.once('message', resolve).once('error', reject)));
      thread.removeAllListeners('error');
    }
    await thread.terminate();
  };
  await Promise.all(threads.map(work));
  console.log(answers.length, new Set(answers).size);
} else {
  const model = await compile(lenet(), { threads: 1, seed: 7 });
  parentPort.on('message', async (question) => {
    const { prob } = await model.forward({ data: new Float32Array(28 * 28).fill(question / 4) });
    parentPort.postMessage(prob.data.join());
  });
}
