import { constant, xavier } from '../fillers.js';
import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { check, count, format, pair } from '../shape.js';
import { conv2dOp, geometry, type Conv2dOptions } from './conv2d.js';
import { checkImages } from './window.js';

/** The transpose of a convolution: its gradient with respect to its input, as a layer. */
export const deconv2dOp = defineOp({
  name: 'deconv2d',

  // The same geometry and the same rules of channels, filters and groups as forwards.
  attributes: (options: Conv2dOptions, inputs) => conv2dOp.attributes(options, inputs),

  parameters([x], { groups }, options) {
    const [r, s] = pair(options.kernel, 'kernel', 1);
    const weight = { name: 'weight', shape: [x![1]!, options.filters / groups, r, s], filler: xavier() };
    return options.bias === false
      ? [weight]
      : [weight, { name: 'bias', shape: [options.filters], filler: constant(0) }];
  },

  outputs([x, weight, bias], a) {
    checkImages(x);
    checkImages(weight, 'weight');
    const [n, c, h, w] = x;
    const [channels, perGroup, r, s] = weight;
    const k = perGroup * a.groups;
    check(
      channels === c && c % a.groups === 0,
      () => `expected weight (${c}, filters / ${a.groups}, ${r}, ${s}) for input ${format(x)}, got ${format(weight)}`,
    );
    check(!bias || count(bias) === k, () => `expected bias (${k}), got ${format(bias!)}`);
    const oh = (h - 1) * a.strideH + a.dilationH * (r - 1) + 1 - 2 * a.padH;
    const ow = (w - 1) * a.strideW + a.dilationW * (s - 1) + 1 - 2 * a.padW;
    check(
      oh > 0 && ow > 0,
      () =>
        `expected padding that leaves a result for input ${format(x)} and kernel ${r}x${s}, got ${a.padH}x${a.padW}`,
    );
    return [{ shape: [n, k, oh, ow] }];
  },

  backward(e) {
    const [x, weight, bias] = e.inputs;
    const a = geometry(e.attributes);
    const dx = e.wants(0) ? e.temp(x!.shape) : undefined;
    if (dx) e.run('deconv2d_dgrad', [e.dy, weight], [dx], a);
    const dweight = e.wants(1) ? e.temp(weight!.shape) : undefined;
    const dbias = bias && e.wants(2) ? e.temp(bias.shape) : undefined;
    if (dweight || dbias) e.run('deconv2d_wgrad', [x, e.dy], [dweight, dbias], a);
    return [dx, dweight, dbias];
  },

  flops: ([x, weight]) => 2 * count(x!) * count(weight!, 1),
});

/**
 * Transposed convolution of `x` (N, C, H, W); result (N, filters, H', W'), H' = stride (H − 1) + dilation (kernel − 1) + 1 − 2 pad.
 * Parameters: `weight` (C, filters / groups, kernel, kernel), `bias` (filters).
 * @throws {ShapeError} when channels or filters do not divide into groups, or padding leaves no result
 */
export function deconv2d(x: Value, options: Conv2dOptions & LayerOptions): Value {
  return layer(deconv2dOp, [x], options)[0]!;
}
