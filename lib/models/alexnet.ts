import { gaussian } from '../fillers.js';
import { graph, type Graph, type Value } from '../graph.js';
import { conv2d } from '../ops/conv2d.js';
import { dense } from '../ops/dense.js';
import { dropout } from '../ops/dropout.js';
import { lrn } from '../ops/lrn.js';
import { maxPool } from '../ops/max-pool.js';
import { activate, classify, imagesAndLabels, learn, type ModelOptions } from './parts.js';

type Classifier = Graph<'data' | 'label', 'prob' | 'loss' | 'accuracy'>;

const norm = (x: Value, name: string): Value => lrn(x, { name, localSize: 5, alpha: 1e-4, beta: 0.75 });
const pool = (x: Value, name: string): Value => maxPool(x, { name, kernel: 3, stride: 2 });

/** How CaffeNet differs: it pools before it normalises, and starts its biases at 1. */
interface Variant {
  readonly name: string;
  readonly normPool: (x: Value, layer: number) => Value;
  readonly bias: number;
}

const ALEXNET: Variant = { name: 'AlexNet', normPool: (x, i) => pool(norm(x, `norm${i}`), `pool${i}`), bias: 0.1 };
const CAFFENET: Variant = { name: 'CaffeNet', normPool: (x, i) => norm(pool(x, `pool${i}`), `norm${i}`), bias: 1 };

function twoTowers(
  { name, normPool, bias }: Variant,
  { classes = 1000, inputSize = 227, batch = 1 }: ModelOptions,
): Classifier {
  return graph(
    imagesAndLabels(3, inputSize),
    ({ data, label }) => {
      let x = conv2d(data, { name: 'conv1', filters: 96, kernel: 11, stride: 4, params: learn(gaussian(0.01)) });
      x = normPool(activate(x), 1);
      x = conv2d(x, { name: 'conv2', filters: 256, kernel: 5, pad: 2, groups: 2, params: learn(gaussian(0.01), bias) });
      x = normPool(activate(x), 2);
      x = activate(conv2d(x, { name: 'conv3', filters: 384, kernel: 3, pad: 1, params: learn(gaussian(0.01)) }));
      x = activate(
        conv2d(x, { name: 'conv4', filters: 384, kernel: 3, pad: 1, groups: 2, params: learn(gaussian(0.01), bias) }),
      );
      x = activate(
        conv2d(x, { name: 'conv5', filters: 256, kernel: 3, pad: 1, groups: 2, params: learn(gaussian(0.01), bias) }),
      );
      x = pool(x, 'pool5');
      x = dropout(activate(dense(x, { name: 'fc6', units: 4096, params: learn(gaussian(0.005), bias) })), {
        name: 'drop6',
        ratio: 0.5,
      });
      x = dropout(activate(dense(x, { name: 'fc7', units: 4096, params: learn(gaussian(0.005), bias) })), {
        name: 'drop7',
        ratio: 0.5,
      });
      return classify(dense(x, { name: 'fc8', units: classes, params: learn(gaussian(0.01)) }), label);
    },
    { name, batch },
  );
}

/**
 * AlexNet as Caffe's bvlc_alexnet defines it: Krizhevsky, Sutskever and Hinton 2012, with two groups where the paper had two
 * GPUs. Images are 3 × 227 × 227, BGR minus the mean.
 */
export function alexnet(options: ModelOptions = {}): Classifier {
  return twoTowers(ALEXNET, options);
}

/** Caffe's bvlc_reference_caffenet: AlexNet with pooling before normalisation. */
export function caffenet(options: ModelOptions = {}): Classifier {
  return twoTowers(CAFFENET, options);
}
