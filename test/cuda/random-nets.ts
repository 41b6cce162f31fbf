/**
 * Computes nets of random shapes on CORTADO_DEVICE and on the CPU, and fails where they differ:
 * tsx test/cuda/random-nets.ts COUNT SHARES SHARE computes those of COUNT nets whose number leaves SHARE modulo SHARES.
 */
import {
  averagePool,
  compile,
  conv2d,
  dense,
  graph,
  input,
  lrn,
  maxPool,
  Random,
  softmaxLoss,
  tanh,
  type Graph,
} from '../../lib/index.js';
import { assertClose } from '../support/compare.js';
import { labels, noise } from '../support/nets.js';

const CLASSES = 7;
const OF = ['conv.weight', 'conv.bias', 'fc.weight', 'data'] as const;
const [count = 0, shares = 1, share = 0] = process.argv.slice(2).map(Number);

type Net = Graph<'data' | 'label', 'loss'>;

const random = new Random(20);
for (let i = 0; i < count; i++) {
  const { net, batch, shape } = randomNet(random);
  if (i % shares !== share) continue;
  const inputs = { data: noise([batch, ...shape], i), label: labels(batch, CLASSES, i) };
  const gradients = async (device: string) => {
    await using model = await compile(net, { device, batch, seed: i + 1 });
    return (await model.backward(inputs, { of: OF })).gradients;
  };
  const [there, here] = await Promise.all([gradients(process.env.CORTADO_DEVICE ?? 'cpu'), gradients('cpu')]);
  for (const name of OF) assertClose(there[name]!.data, here[name]!.data, `net ${i}, ${name}`, 1e-4);
  console.log(i);
}

/** A net of random extents: pooling of the input, a convolution, one of LRN, pooling or neither, a dense layer, a loss. */
function randomNet(random: Random): { net: Net; batch: number; shape: number[] } {
  const from = (least: number, most: number): number => least + random.below(most - least + 1);
  const groups = from(1, 3);
  const [channels, filters] = [groups * from(1, 12), groups * from(1, 24)];
  const shape = [channels, from(9, 40), from(9, 40)];
  const [kernel, stride, pad] = [from(1, 5), from(1, 3), from(0, 2)];
  const kind = random.below(3);
  const net = graph({ data: input(shape), label: input([]) }, ({ data, label }) => {
    // Before anything is rounded: where two are all but equal, devices may choose differently.
    const first = random.below(2) === 0 ? data : maxPool(data, { kernel: 3, stride: 2 });
    const x = tanh(conv2d(first, { name: 'conv', filters, kernel: Math.min(kernel, 3), stride, pad, groups }));
    const y = kind === 0 ? lrn(x, { localSize: 3 }) : kind === 1 ? averagePool(x, { kernel: 2, stride: 2, pad: 1 }) : x;
    return { loss: softmaxLoss(dense(y, { name: 'fc', units: CLASSES }), label) };
  });
  return { net, batch: from(1, 9), shape };
}
