import {
  conv2d,
  dense,
  graph,
  input,
  maxPool,
  Random,
  relu,
  softmax,
  softmaxLoss,
  type Graph,
  type Tensor,
} from '../../lib/index.js';
import type { Shape } from '../../lib/shape.js';
import { sanitized } from './sanitizer.js';

/** Numbers in [-scale, scale), the same for the same seed. */
export function noise(shape: readonly number[], seed = 1, scale = 1): Tensor {
  const random = new Random(seed);
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < data.length; i++) data[i] = random.uniform(-scale, scale);
  return { data, shape };
}

/** Whole numbers in [0, classes), one for each image. */
export function labels(count: number, classes: number, seed = 2): Tensor {
  const random = new Random(seed);
  return { data: Float32Array.from({ length: count }, () => random.below(classes)), shape: [count] };
}

/** A classifier small enough for a thousand runs a second: 3 × 8 × 8 images, five classes. */
export function tiny(): Graph<'data' | 'label', 'prob' | 'loss'> {
  return graph(
    { data: input([3, 8, 8]), label: input([]) },
    ({ data, label }) => {
      const conv = conv2d(data, { name: 'conv', filters: 4, kernel: 3 });
      const pool = maxPool(relu(conv, { name: 'act' }), { name: 'pool', kernel: 2, stride: 2 });
      const logits = dense(pool, { name: 'fc', units: 5 });
      return { prob: softmax(logits, { name: 'prob' }), loss: softmaxLoss(logits, label, { name: 'loss' }) };
    },
    { name: 'tiny' },
  );
}

/** Of an image that `slow` takes: under a sanitizer a quarter of the pixels takes as long as all of them elsewhere. */
export const SLOW_IMAGE: Shape = sanitized ? [64, 28, 28] : [64, 56, 56];

/** Forty convolutions, without a sanitizer of 0.23 GFLOP an image each: a run long enough to be cut short. */
export function slow(): Graph<'data', 'out'> {
  return graph(
    { data: input(SLOW_IMAGE) },
    ({ data }) => {
      let x = data;
      for (let i = 0; i < 40; i++) x = relu(conv2d(x, { name: `conv${i}`, filters: 64, kernel: 3, pad: 1 }));
      return { out: x };
    },
    { name: 'slow' },
  );
}
