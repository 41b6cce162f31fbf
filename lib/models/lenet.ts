import { xavier } from '../fillers.js';
import { graph, type Graph } from '../graph.js';
import { conv2d } from '../ops/conv2d.js';
import { dense } from '../ops/dense.js';
import { maxPool } from '../ops/max-pool.js';
import { relu } from '../ops/relu.js';
import { classify, imagesAndLabels, learn, type ModelOptions } from './parts.js';

/** Caffe's LeNet for 1 × 28 × 28 digits: LeCun et al. 1998 with max pooling and a ReLU. */
export function lenet({ classes = 10, inputSize = 28, batch = 1 }: ModelOptions = {}): Graph<
  'data' | 'label',
  'prob' | 'loss' | 'accuracy'
> {
  return graph(
    imagesAndLabels(1, inputSize),
    ({ data, label }) => {
      let x = conv2d(data, { name: 'conv1', filters: 20, kernel: 5, params: learn(xavier(), 0, 1) });
      x = maxPool(x, { name: 'pool1', kernel: 2, stride: 2 });
      x = conv2d(x, { name: 'conv2', filters: 50, kernel: 5, params: learn(xavier(), 0, 1) });
      x = maxPool(x, { name: 'pool2', kernel: 2, stride: 2 });
      x = relu(dense(x, { name: 'ip1', units: 500, params: learn(xavier(), 0, 1) }), { name: 'relu1' });
      return classify(dense(x, { name: 'ip2', units: classes, params: learn(xavier(), 0, 1) }), label);
    },
    { name: 'LeNet', batch },
  );
}
