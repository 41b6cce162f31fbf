/** A training that writes a checkpoint after every iteration and goes on from the newest: `killed.ts PREFIX`. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile, dense, dropout, graph, input, rates, relu, sgd, softmaxLoss } from '../../lib/index.js';
import { listCheckpoints, loadCheckpoint, pruneCheckpoints, saveCheckpoint } from '../../lib/train/index.js';
import { labels, noise } from './nets.js';

/** So many that fifty kills do not reach the end. */
export const ITERATIONS = 600;
export const solver = sgd({
  rate: rates.step({ base: 0.05, gamma: 0.5, every: 100 }),
  momentum: 0.9,
  weightDecay: 1e-4,
});

/** Its masks hang on the random state. */
const net = graph({ data: input([3, 8, 8]), label: input([]) }, ({ data, label }) => {
  const hidden = dropout(relu(dense(data, { name: 'hidden', units: 256 }), {}));
  return { loss: softmaxLoss(dense(hidden, { name: 'fc', units: 5 }), label) };
});

if (fileURLToPath(import.meta.url) === resolve(process.argv[1] ?? '')) {
  const prefix = process.argv[2]!;
  await using model = await compile(net, { batch: 4, solver });
  const [newest] = await listCheckpoints(prefix);
  const position = newest === undefined ? 0 : Number((await loadCheckpoint(model, newest)).position);
  console.log('begins');
  for (let i = position; i < ITERATIONS; i++) {
    await model.step({ data: noise([4, 3, 8, 8], i), label: labels(4, 5, i) });
    await saveCheckpoint(model, prefix, { position: String(i + 1) });
    await pruneCheckpoints(prefix, 2);
  }
}
