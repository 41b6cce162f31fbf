import { gaussian, xavier } from '../fillers.js';
import { graph, type Graph, type ParameterOptions, type Value } from '../graph.js';
import { concat } from '../ops/concat.js';
import { conv2d } from '../ops/conv2d.js';
import { dropout } from '../ops/dropout.js';
import { averagePool } from '../ops/average-pool.js';
import { maxPool } from '../ops/max-pool.js';
import { relu } from '../ops/relu.js';
import { flatten } from '../ops/flatten.js';
import { classify, imagesAndLabels, type ModelOptions } from './parts.js';

const weights: Readonly<Record<string, ParameterOptions>> = { weight: { filler: xavier() } };

/** Squeeze to few channels, expand with 1 × 1 and 3 × 3 filters side by side: Iandola et al. 2016, section 3.2. */
function fire(x: Value, name: string, squeeze: number, expand: number): Value {
  const part = (from: Value, suffix: string, filters: number, kernel: number): Value =>
    relu(conv2d(from, { name: `${name}/${suffix}`, filters, kernel, pad: (kernel - 1) / 2, params: weights }), {
      name: `${name}/relu_${suffix}`,
    });
  const squeezed = part(x, 'squeeze1x1', squeeze, 1);
  return concat([part(squeezed, 'expand1x1', expand, 1), part(squeezed, 'expand3x3', expand, 3)], {
    name: `${name}/concat`,
  });
}

export interface SqueezenetOptions extends ModelOptions {
  /**
   * Whose network it is. Its authors' pads the last convolution by one pixel and takes 3 × 227 × 227 BGR minus the mean;
   * torchvision's does not, and takes 3 × 224 × 224 RGB. Default `caffe`.
   */
  readonly form?: 'caffe' | 'torchvision';
}

/** SqueezeNet v1.0 with the layer names of its authors' Caffe files. */
export function squeezenet(options: SqueezenetOptions = {}): Graph<'data' | 'label', 'prob' | 'loss' | 'accuracy'> {
  const { form = 'caffe', classes = 1000, batch = 1 } = options;
  const { inputSize = form === 'caffe' ? 227 : 224 } = options;
  const pool = (x: Value, name: string): Value => maxPool(x, { name, kernel: 3, stride: 2 });
  return graph(
    imagesAndLabels(3, inputSize),
    ({ data, label }) => {
      let x = relu(conv2d(data, { name: 'conv1', filters: 96, kernel: 7, stride: 2, params: weights }), {
        name: 'relu_conv1',
      });
      x = pool(x, 'pool1');
      x = fire(x, 'fire2', 16, 64);
      x = fire(x, 'fire3', 16, 64);
      x = pool(fire(x, 'fire4', 32, 128), 'pool4');
      x = fire(x, 'fire5', 32, 128);
      x = fire(x, 'fire6', 48, 192);
      x = fire(x, 'fire7', 48, 192);
      x = pool(fire(x, 'fire8', 64, 256), 'pool8');
      x = dropout(fire(x, 'fire9', 64, 256), { name: 'drop9', ratio: 0.5 });
      x = conv2d(x, {
        name: 'conv10',
        filters: classes,
        kernel: 1,
        pad: form === 'caffe' ? 1 : 0,
        params: { weight: { filler: gaussian(0.01) } },
      });
      x = averagePool(relu(x, { name: 'relu_conv10' }), { name: 'pool10', global: true });
      return classify(flatten(x, { name: 'flatten10' }), label);
    },
    { name: 'SqueezeNet', batch },
  );
}
