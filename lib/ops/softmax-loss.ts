import { layer, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { count } from '../shape.js';
import { classAxis, labelAttributes, type LabelOptions, type LossLayerOptions } from './loss.js';

/** What `softmaxLoss` takes besides values and a name. */
export interface SoftmaxLossOptions extends LabelOptions {
  /** The axis of the classes. Default 1. */
  readonly axis?: number;
  /** Gives the probabilities as a second result. Default false. */
  readonly prob?: boolean;
}

/** Softmax and the mean of −log of the true class's probability: softmax_loss_layer.cpp. Normalization: `valid` by default. */
export const softmaxLossOp = defineOp({
  name: 'softmaxLoss',
  loss: true,

  attributes: (options: SoftmaxLossOptions, [x, label]) => ({
    axis: classAxis(options.axis ?? 1, x, label),
    ...labelAttributes(options, 'valid'),
    prob: options.prob ? 1 : 0,
  }),

  outputs: ([x], { prob }) => [{ shape: [] }, { shape: x!, saved: prob === 0 }],

  forward(e) {
    const { axis, ignoreLabel, normalization } = e.attributes;
    const [loss, prob] = e.outputs;
    e.run('softmax', [e.inputs[0]], [prob], { axis });
    e.run('softmaxLoss', [prob, e.inputs[1]], [loss], { axis, ignoreLabel, normalization });
  },

  backward(e) {
    const { axis, ignoreLabel, normalization } = e.attributes;
    const [dloss, dprob] = e.dys;
    const [x, label] = e.inputs;
    const prob = e.outputs[1];
    const fromLoss = dloss && e.temp(x!.shape);
    if (fromLoss) e.run('softmaxLoss_grad', [prob, label, dloss], [fromLoss], { axis, ignoreLabel, normalization });
    const fromProb = dprob && e.temp(x!.shape);
    if (fromProb) e.run('softmax_grad', [dprob, prob], [fromProb], { axis });
    if (!fromLoss || !fromProb) return [fromLoss ?? fromProb];
    const dx = e.temp(x!.shape);
    e.run('sum', [fromLoss, fromProb], [dx], { coefficients: [1, 1] }, true);
    return [dx];
  },

  flops: ([x]) => 5 * count(x!),
});

/**
 * Softmax loss of scores `x` against `label` (class numbers, one for each place beside the class axis); a scalar.
 * The probability inside the logarithm is at least FLT_MIN, so a label costs at most 87.33654. A label that names no class
 * costs that much and sends no gradient back.
 * @throws {ShapeError} when the labels are not one for each place
 */
export function softmaxLoss(
  x: Value,
  label: Value,
  options: Omit<SoftmaxLossOptions, 'prob'> & LossLayerOptions = {},
): Value {
  return layer(softmaxLossOp, [x, label], options)[0]!;
}

/** The same with the probabilities, in the shape of `x`. */
export function softmaxLossAndProb(
  x: Value,
  label: Value,
  options: SoftmaxLossOptions & LossLayerOptions = {},
): { readonly loss: Value; readonly prob: Value } {
  const [loss, prob] = layer(softmaxLossOp, [x, label], { ...options, prob: true });
  return { loss: loss!, prob: prob! };
}
