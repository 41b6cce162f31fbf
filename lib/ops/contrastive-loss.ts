import { layer, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { check, count } from '../shape.js';
import { checkPairs, checkRows, type LossLayerOptions } from './loss.js';

/** What `contrastiveLoss` takes besides values and a name. */
export interface ContrastiveLossOptions {
  /** Distance beyond which dissimilar pairs cost nothing. Default 1. */
  readonly margin?: number;
  /** max(0, margin − d²) for dissimilar pairs, as old Caffe had it, instead of max(0, margin − d)². Default false. */
  readonly legacy?: boolean;
}

/** Pulls similar pairs together and others apart: Hadsell et al. 2006, contrastive_loss_layer.cpp. */
export const contrastiveLossOp = defineOp({
  name: 'contrastiveLoss',
  loss: true,
  attributes({ margin = 1, legacy = false }: ContrastiveLossOptions, [a, b, similar]) {
    check(Number.isFinite(margin), () => `expected a finite margin, got ${margin}`);
    checkPairs(a, b);
    checkRows(a, similar);
    return { margin, legacy: legacy ? 1 : 0 };
  },
  outputs: () => [{ shape: [] }],
  backward(e) {
    const [a, b, similar] = e.inputs;
    const da = e.wants(0) ? e.temp(a!.shape) : undefined;
    const db = e.wants(1) ? e.temp(b!.shape) : undefined;
    e.run('contrastiveLoss_grad', [a, b, similar, e.dy], [da, db]);
    return [da, db];
  },
  flops: ([a]) => 3 * count(a!),
});

/**
 * Contrastive loss of the rows of `a` and `b`, a scalar: Σ (similar ? d² : max(0, margin − d)²) / (2 N), d their distance.
 * `similar` (N) is 0 for dissimilar pairs. As in Caffe the gradient divides by d + 1e-4.
 * @throws {ShapeError}
 */
export function contrastiveLoss(
  a: Value,
  b: Value,
  similar: Value,
  options: ContrastiveLossOptions & LossLayerOptions = {},
): Value {
  return layer(contrastiveLossOp, [a, b, similar], options)[0]!;
}
