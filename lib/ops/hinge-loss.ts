import { layer, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { check, count } from '../shape.js';
import { checkRows, type LossLayerOptions } from './loss.js';

/** What `hingeLoss` takes besides values and a name. */
export interface HingeLossOptions {
  /** Sum of the margins, or of their squares. Default `l1`. */
  readonly norm?: 'l1' | 'l2';
}

/** One-against-all hinge loss: hinge_loss_layer.cpp. */
export const hingeLossOp = defineOp({
  name: 'hingeLoss',
  loss: true,
  attributes({ norm = 'l1' }: HingeLossOptions, [x, label]) {
    check(norm === 'l1' || norm === 'l2', () => `expected norm to be l1 or l2, got ${String(norm)}`);
    checkRows(x, label);
    return { squared: norm === 'l2' ? 1 : 0 };
  },
  outputs: () => [{ shape: [] }],
  backward(e) {
    const dx = e.temp(e.inputs[0]!.shape);
    e.run('hingeLoss_grad', [e.inputs[0], e.inputs[1], e.dy], [dx]);
    return [dx];
  },
  flops: ([x]) => 3 * count(x!),
});

/**
 * Hinge loss of scores `x` (N, …) against `label` (N), a scalar: mean over rows of Σ max(0, 1 ∓ x), minus at the true class.
 * A label that names no class makes every class a wrong one.
 * @throws {ShapeError}
 */
export function hingeLoss(x: Value, label: Value, options: HingeLossOptions & LossLayerOptions = {}): Value {
  return layer(hingeLossOp, [x, label], options)[0]!;
}
