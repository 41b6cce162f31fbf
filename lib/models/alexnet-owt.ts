import { constant, msra, uniform } from '../fillers.js';
import { graph, type Graph, type ParameterOptions, type Value } from '../graph.js';
import { conv2d } from '../ops/conv2d.js';
import { dense } from '../ops/dense.js';
import { dropout } from '../ops/dropout.js';
import { maxPool } from '../ops/max-pool.js';
import { relu } from '../ops/relu.js';
import { classify, imagesAndLabels, type ModelOptions } from './parts.js';

const conv: Readonly<Record<string, ParameterOptions>> = { weight: { filler: msra() }, bias: { filler: constant(0) } };

/** Uniform ±1/sqrt(inputs), as a linear layer starts there. */
function linear(inputs: number): Readonly<Record<string, ParameterOptions>> {
  const limit = 1 / Math.sqrt(inputs);
  return { weight: { filler: uniform(-limit, limit) }, bias: { filler: uniform(-limit, limit) } };
}

/**
 * The one-tower AlexNet of Krizhevsky 2014 ("One weird trick for parallelizing convolutional neural networks") in
 * torchvision's form: no groups, no LRN, 3 × 224 × 224 RGB. Layers carry torchvision's names. `inputSize` must leave a
 * 6 × 6 map (224 to 254).
 */
export function alexnetOwt({ classes = 1000, inputSize = 224, batch = 1 }: ModelOptions = {}): Graph<
  'data' | 'label',
  'prob' | 'loss' | 'accuracy'
> {
  const pool = (x: Value, name: string): Value => maxPool(x, { name, kernel: 3, stride: 2, round: 'floor' });
  return graph(
    imagesAndLabels(3, inputSize),
    ({ data, label }) => {
      let x = relu(conv2d(data, { name: 'features.0', filters: 64, kernel: 11, stride: 4, pad: 2, params: conv }), {
        name: 'features.1',
      });
      x = pool(x, 'features.2');
      x = relu(conv2d(x, { name: 'features.3', filters: 192, kernel: 5, pad: 2, params: conv }), {
        name: 'features.4',
      });
      x = pool(x, 'features.5');
      x = relu(conv2d(x, { name: 'features.6', filters: 384, kernel: 3, pad: 1, params: conv }), {
        name: 'features.7',
      });
      x = relu(conv2d(x, { name: 'features.8', filters: 256, kernel: 3, pad: 1, params: conv }), {
        name: 'features.9',
      });
      x = relu(conv2d(x, { name: 'features.10', filters: 256, kernel: 3, pad: 1, params: conv }), {
        name: 'features.11',
      });
      x = dropout(pool(x, 'features.12'), { name: 'classifier.0', ratio: 0.5 });
      x = relu(dense(x, { name: 'classifier.1', units: 4096, params: linear(9216) }), { name: 'classifier.2' });
      x = dropout(x, { name: 'classifier.3', ratio: 0.5 });
      x = relu(dense(x, { name: 'classifier.4', units: 4096, params: linear(4096) }), { name: 'classifier.5' });
      return classify(dense(x, { name: 'classifier.6', units: classes, params: linear(4096) }), label);
    },
    { name: 'AlexNet-OWT', batch },
  );
}
