import { constant, type Filler } from '../fillers.js';
import { input, type InputSpec, type ParameterOptions, type Value } from '../graph.js';
import { accuracy } from '../ops/accuracy.js';
import { softmax } from '../ops/softmax.js';
import { softmaxLoss } from '../ops/softmax-loss.js';
import { relu } from '../ops/relu.js';

/** What every ready-made model takes. */
export interface ModelOptions {
  /** Outputs of the last layer. */
  readonly classes?: number;
  /** Height and width of the images. */
  readonly inputSize?: number;
  /** Images a run takes when `compile` is not told. Default 1. */
  readonly batch?: number;
}

/** A classifier's inputs: images and one label each, which only loss and accuracy need. */
export function imagesAndLabels(channels: number, size: number): Readonly<Record<'data' | 'label', InputSpec>> {
  return { data: input([channels, size, size]), label: input([]) };
}

/** A classifier's outputs. */
export function classify(logits: Value, label: Value): { prob: Value; loss: Value; accuracy: Value } {
  return {
    prob: softmax(logits, { name: 'prob' }),
    accuracy: accuracy(logits, label, { name: 'accuracy' }),
    loss: softmaxLoss(logits, label, { name: 'loss' }),
  };
}

/** Weight and bias as Caffe's examples train them: the bias at twice the rate and without decay. */
export function learn(weight: Filler, bias = 0, decay = 0): Readonly<Record<'weight' | 'bias', ParameterOptions>> {
  return { weight: { filler: weight }, bias: { filler: constant(bias), rate: 2, decay } };
}

/** The ReLU that belongs to layer `conv1` or `fc6` is called `relu1` or `relu6`. */
export function activate(x: Value): Value {
  return relu(x, { name: `relu${/\d+$/.exec(x.name)?.[0] ?? ''}` });
}
