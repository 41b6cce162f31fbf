import { layer, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { count } from '../shape.js';
import { checkPairs, type LossLayerOptions } from './loss.js';

/** Σ (a − b)² / (2 N), N the first extent: euclidean_loss_layer.cpp. */
export const euclideanLossOp = defineOp({
  name: 'euclideanLoss',
  loss: true,
  attributes(_: object, [a, b]) {
    checkPairs(a, b);
    return {};
  },
  outputs: () => [{ shape: [] }],
  backward(e) {
    const [a, b] = e.inputs;
    const da = e.wants(0) ? e.temp(a!.shape) : undefined;
    const db = e.wants(1) ? e.temp(b!.shape) : undefined;
    e.run('euclideanLoss_grad', [a, b, e.dy], [da, db]);
    return [da, db];
  },
  flops: ([a]) => 3 * count(a!),
});

/**
 * Half the mean squared distance between the rows of `a` and `b`; a scalar. Both may be learned.
 * @throws {ShapeError} when their extents differ
 */
export function euclideanLoss(a: Value, b: Value, options: LossLayerOptions = {}): Value {
  return layer(euclideanLossOp, [a, b], options)[0]!;
}
