import { layer, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { count } from '../shape.js';
import { checkPairs, labelAttributes, type LabelOptions, type LossLayerOptions } from './loss.js';

/** −Σ (t log σ(x) + (1 − t) log(1 − σ(x))): sigmoid_cross_entropy_loss_layer.cpp. Normalization: `batchSize` by default. */
export const sigmoidCrossEntropyLossOp = defineOp({
  name: 'sigmoidCrossEntropyLoss',
  loss: true,
  attributes(options: LabelOptions, [x, target]) {
    checkPairs(x, target);
    return labelAttributes(options, 'batchSize');
  },
  outputs: () => [{ shape: [] }],
  backward(e) {
    const dx = e.temp(e.inputs[0]!.shape);
    e.run('sigmoidCrossEntropyLoss_grad', [e.inputs[0], e.inputs[1], e.dy], [dx]);
    return [dx];
  },
  flops: ([x]) => 6 * count(x!),
});

/**
 * Cross-entropy of the sigmoid of `x` against targets in [0, 1], element by element; a scalar. Elements whose target is
 * `ignoreLabel` (cut to a whole number) do not count.
 * @throws {ShapeError} when the extents differ
 */
export function sigmoidCrossEntropyLoss(x: Value, target: Value, options: LabelOptions & LossLayerOptions = {}): Value {
  return layer(sigmoidCrossEntropyLossOp, [x, target], options)[0]!;
}
