import { layer, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { checkRows, type LossLayerOptions } from './loss.js';

/** Mean of −log p(label), p at least 1e-20: multinomial_logistic_loss_layer.cpp. */
export const multinomialLossOp = defineOp({
  name: 'multinomialLoss',
  loss: true,
  attributes(_: object, [p, label]) {
    checkRows(p, label);
    return {};
  },
  outputs: () => [{ shape: [] }],
  backward(e) {
    const dp = e.temp(e.inputs[0]!.shape);
    e.run('multinomialLoss_grad', [e.inputs[0], e.inputs[1], e.dy], [dp]);
    return [dp];
  },
});

/**
 * Multinomial logistic loss of probabilities `p` (N, …) against `label` (N); a scalar. A label that names no class costs
 * −log 1e-20 and sends no gradient back. For scores that are not yet probabilities, softmaxLoss is more accurate.
 * @throws {ShapeError}
 */
export function multinomialLoss(p: Value, label: Value, options: LossLayerOptions = {}): Value {
  return layer(multinomialLossOp, [p, label], options)[0]!;
}
