import { msra, xavier } from '../../fillers.js';
import { graph, input, type Graph, type Value } from '../../graph.js';
import type { Image } from '../../images/index.js';
import { conv2d } from '../../ops/conv2d.js';
import { dense } from '../../ops/dense.js';
import { maxPool } from '../../ops/max-pool.js';
import { relu } from '../../ops/relu.js';
import { softmaxLoss } from '../../ops/softmax-loss.js';
import { softmax } from '../../ops/softmax.js';
import { classes, SIZE, type Example } from './shapes.js';

/** Three rounds of convolution and pooling, then a decision: about 80,000 numbers to learn. */
export function shapeNet(): Graph<'data' | 'label', 'prob' | 'loss'> {
  const block = (x: Value, name: string, filters: number, kernel: number): Value =>
    maxPool(
      relu(conv2d(x, { name, filters, kernel, pad: (kernel - 1) / 2, params: { weight: { filler: msra() } } }), {
        name: `${name}.relu`,
      }),
      { name: `${name}.pool`, kernel: 2, stride: 2 },
    );
  return graph(
    { data: input([3, SIZE, SIZE]), label: input([]) },
    ({ data, label }) => {
      const features = block(block(block(data, 'conv1', 16, 5), 'conv2', 32, 3), 'conv3', 48, 3);
      const hidden = relu(dense(features, { name: 'fc4', units: 64, params: { weight: { filler: msra() } } }), {
        name: 'fc4.relu',
      });
      const logits = dense(hidden, { name: 'fc5', units: classes.length, params: { weight: { filler: xavier() } } });
      return { prob: softmax(logits, { name: 'prob' }), loss: softmaxLoss(logits, label, { name: 'loss' }) };
    },
    { name: 'shapes' },
  );
}

/** Pictures and labels as the net takes them: planes from −1 to 1. */
export function batchOf(examples: readonly Example[]): { data: Float32Array; label: Float32Array } {
  const area = SIZE * SIZE;
  const data = new Float32Array(3 * area * examples.length);
  examples.forEach(({ image }, i) => planes(image, data.subarray(3 * area * i, 3 * area * (i + 1))));
  return { data, label: Float32Array.from(examples, ({ label }) => label) };
}

function planes({ data }: Image, out: Float32Array): void {
  const area = out.length / 3;
  for (let i = 0; i < out.length; i++) out[(i % 3) * area + Math.floor(i / 3)] = data[i]! / 127.5 - 1;
}
