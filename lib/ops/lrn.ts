import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { check, count } from '../shape.js';
import { checkImages } from './window.js';

/** What `lrn` takes besides values and a name. */
export interface LrnOptions {
  /** Sum over neighbouring channels, or over neighbouring pixels of the same channel. Default `across`. */
  readonly region?: 'across' | 'within';
  /** Channels, or pixels each way, that the sum covers: odd. Default 5. */
  readonly localSize?: number;
  /** Factor on the mean square: it is divided by localSize (across) or its square (within). Default 1. */
  readonly alpha?: number;
  /** Exponent. Default 0.75. */
  readonly beta?: number;
  /** What is added to the mean square. Default 1; within channels always 1, as in Caffe. */
  readonly k?: number;
}

/** Local response normalisation: Krizhevsky et al. 2012, section 3.3, with alpha divided by the window as in lrn_layer.cpp. */
export const lrnOp = defineOp({
  name: 'lrn',

  attributes(options: LrnOptions) {
    const { region = 'across', localSize = 5, alpha = 1, beta = 0.75, k = 1 } = options;
    check(
      region === 'across' || region === 'within',
      () => `expected region to be across or within, got ${String(region)}`,
    );
    check(
      Number.isSafeInteger(localSize) && localSize > 0 && localSize % 2 === 1,
      () => `expected an odd localSize of at least 1, got ${localSize}`,
    );
    for (const [name, value] of Object.entries({ alpha, beta, k }))
      check(Number.isFinite(value), () => `expected a finite ${name}, got ${value}`);
    return { within: region === 'within' ? 1 : 0, localSize, alpha, beta, k };
  },

  outputs([x]) {
    checkImages(x);
    return [{ shape: x }];
  },

  forward(e) {
    const { within, localSize, alpha, beta, k } = e.attributes;
    if (within) e.run('lrn_within', e.inputs, e.outputs, { localSize, alpha, beta });
    else e.run('lrn', e.inputs, e.outputs, { localSize, alpha, beta, k });
  },

  backward(e) {
    const { within, localSize, alpha, beta, k } = e.attributes;
    const dx = e.temp(e.inputs[0]!.shape);
    if (within) e.run('lrn_within_grad', [e.dy, e.inputs[0]], [dx], { localSize, alpha, beta });
    else e.run('lrn_grad', [e.dy, e.inputs[0]], [dx], { localSize, alpha, beta, k });
    return [dx];
  },

  // The running sum (4), its scaling (2), two roots and two products (6).
  flops: ([x]) => 12 * count(x!),
});

/**
 * Local response normalisation of `x` (N, C, H, W): y = x · (k + alpha / localSize · Σ x²)^−beta, the sum over localSize
 * channels around x's own (or localSize × localSize pixels, alpha / localSize²). Channels and pixels outside count as zero.
 * @throws {ShapeError} for an even localSize or an input without 4 axes
 */
export function lrn(x: Value, options: LrnOptions & LayerOptions = {}): Value {
  return layer(lrnOp, [x], options)[0]!;
}
