/**
 * A training that writes a checkpoint after every iteration and goes on from the newest:
 * `killed.ts PREFIX FOLDER ITERATIONS`, with pictures in folders of classes.
 */
import { compile, dense, dropout, graph, input, rates, relu, sgd, softmaxLoss } from '../../lib/index.js';
import { imageFolder, openLoader } from '../../lib/data/index.js';
import { listCheckpoints, restoreTraining, train } from '../../lib/train/index.js';

const solver = sgd({
  rate: rates.step({ base: 0.01, gamma: 0.5, every: 100 }),
  momentum: 0.9,
  weightDecay: 1e-4,
});

/** Its masks hang on the random state. */
const net = graph({ data: input([3, 8, 8]), label: input([]) }, ({ data, label }) => {
  const hidden = dropout(relu(dense(data, { name: 'hidden', units: 256 }), {}));
  return { loss: softmaxLoss(dense(hidden, { name: 'fc', units: 3 }), label) };
});

const [prefix = '', folder = '', iterations = '0'] = process.argv.slice(2);
await using model = await compile(net, { batch: 5, solver });
const [newest] = await listCheckpoints(prefix);
const progress = newest === undefined ? undefined : await restoreTraining(model, newest);
const pictures = await imageFolder(folder, { resize: [10, 10], crop: [8, 8], mirror: true, mean: 128, scale: 1 / 64 });
const start = progress && { start: progress.position };
await using loader = await openLoader(pictures, { batch: 5, phase: 'train', workers: 1, ...start });
const options = { iterations: Number(iterations), averageLoss: 7, checkpoint: { prefix, every: 1, keep: 2 } };
console.log('begins');
for await (const { checkpoint } of train(model, loader, { ...options, ...(progress && { progress }) }))
  if (!checkpoint || 'error' in checkpoint) throw new Error('expected a checkpoint');
