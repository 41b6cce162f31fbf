import { constant, gaussian } from '../fillers.js';
import { graph, type Graph, type Value } from '../graph.js';
import { conv2d } from '../ops/conv2d.js';
import { dense } from '../ops/dense.js';
import { lrn } from '../ops/lrn.js';
import { averagePool } from '../ops/average-pool.js';
import { maxPool } from '../ops/max-pool.js';
import { activate, classify, imagesAndLabels, learn, type ModelOptions } from './parts.js';

type Classifier = Graph<'data' | 'label', 'prob' | 'loss' | 'accuracy'>;

const window = { kernel: 3, stride: 2 } as const;

/** Caffe's cifar10_quick: three 5 × 5 convolutions and two dense layers on 3 × 32 × 32. */
export function cifar10Quick({ classes = 10, inputSize = 32, batch = 1 }: ModelOptions = {}): Classifier {
  return graph(
    imagesAndLabels(3, inputSize),
    ({ data, label }) => {
      let x = conv2d(data, { name: 'conv1', filters: 32, kernel: 5, pad: 2, params: learn(gaussian(1e-4), 0, 1) });
      x = activate(maxPool(x, { name: 'pool1', ...window }));
      x = activate(conv2d(x, { name: 'conv2', filters: 32, kernel: 5, pad: 2, params: learn(gaussian(0.01), 0, 1) }));
      x = averagePool(x, { name: 'pool2', ...window });
      x = activate(conv2d(x, { name: 'conv3', filters: 64, kernel: 5, pad: 2, params: learn(gaussian(0.01), 0, 1) }));
      x = averagePool(x, { name: 'pool3', ...window });
      x = dense(x, { name: 'ip1', units: 64, params: learn(gaussian(0.1), 0, 1) });
      return classify(dense(x, { name: 'ip2', units: classes, params: learn(gaussian(0.1), 0, 1) }), label);
    },
    { name: 'CIFAR10_quick', batch },
  );
}

/** Caffe's cifar10_full: LRN within channels after the first two poolings. */
export function cifar10Full({ classes = 10, inputSize = 32, batch = 1 }: ModelOptions = {}): Classifier {
  const norm = (x: Value, name: string): Value =>
    lrn(x, { name, region: 'within', localSize: 3, alpha: 5e-5, beta: 0.75 });
  return graph(
    imagesAndLabels(3, inputSize),
    ({ data, label }) => {
      let x = conv2d(data, { name: 'conv1', filters: 32, kernel: 5, pad: 2, params: learn(gaussian(1e-4), 0, 1) });
      x = norm(activate(maxPool(x, { name: 'pool1', ...window })), 'norm1');
      x = activate(conv2d(x, { name: 'conv2', filters: 32, kernel: 5, pad: 2, params: learn(gaussian(0.01), 0, 1) }));
      x = norm(averagePool(x, { name: 'pool2', ...window }), 'norm2');
      // Caffe's file gives conv3 no multipliers of its own: its bias learns like its weight.
      const conv3 = { weight: { filler: gaussian(0.01) }, bias: { filler: constant(0) } };
      x = activate(conv2d(x, { name: 'conv3', filters: 64, kernel: 5, pad: 2, params: conv3 }));
      x = averagePool(x, { name: 'pool3', ...window });
      const ip1 = { weight: { filler: gaussian(0.01), decay: 250 }, bias: { filler: constant(0), rate: 2, decay: 0 } };
      return classify(dense(x, { name: 'ip1', units: classes, params: ip1 }), label);
    },
    { name: 'CIFAR10_full', batch },
  );
}
