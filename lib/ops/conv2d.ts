import { xavier, constant } from '../fillers.js';
import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { check, count, format, pair, type Pair } from '../shape.js';
import { checkImages, windowOf, type WindowOptions } from './window.js';

/** What `conv2d` takes besides values and a name. */
export interface Conv2dOptions extends WindowOptions {
  /** Output channels. */
  readonly filters: number;
  /** Extents of a filter: one number or `[height, width]`. */
  readonly kernel: Pair;
  /** Distance between a filter's taps. Default 1. */
  readonly dilation?: Pair;
  /** Splits channels and filters into that many independent convolutions (AlexNet's two towers). Default 1. */
  readonly groups?: number;
  /** Default true. */
  readonly bias?: boolean;
}

/** Geometry of a convolution and its gradients, as kernels read it. */
export function convAttributes(options: Conv2dOptions) {
  const [dilationH, dilationW] = pair(options.dilation ?? 1, 'dilation', 1);
  pair(options.kernel, 'kernel', 1);
  pair(options.filters, 'filters', 1);
  const groups = options.groups ?? 1;
  pair(groups, 'groups', 1);
  return { ...windowOf(options), dilationH, dilationW, groups };
}

/** A convolution in full: what its kernels read. */
export type ConvAttributes = ReturnType<typeof convAttributes>;

/** The geometry without what only the forward kernel reads. */
export function geometry(a: ConvAttributes): ConvAttributes {
  const { strideH, strideW, padH, padW, dilationH, dilationW, groups } = a;
  return { strideH, strideW, padH, padW, dilationH, dilationW, groups };
}

/** Extents of a map after a convolution: Caffe floors (conv_layer.cpp). */
function extent(size: number, kernel: number, dilation: number, pad: number, stride: number): number {
  return Math.floor((size + 2 * pad - (dilation * (kernel - 1) + 1)) / stride) + 1;
}

/** Cross-correlation of images (N, C, H, W) with filters (K, C / groups, R, S). */
export const conv2dOp = defineOp({
  name: 'conv2d',

  attributes(options: Conv2dOptions, [x]) {
    checkImages(x);
    const attributes = { ...convAttributes(options), relu: 0 };
    const { groups } = attributes;
    check(x[1] % groups === 0, () => `expected channels divisible by groups ${groups}, got ${x[1]}`);
    check(
      options.filters % groups === 0,
      () => `expected filters divisible by groups ${groups}, got ${options.filters}`,
    );
    return attributes;
  },

  parameters([x], { groups }, options) {
    const [r, s] = pair(options.kernel, 'kernel', 1);
    const weight = { name: 'weight', shape: [options.filters, x![1]! / groups, r, s], filler: xavier() };
    return options.bias === false
      ? [weight]
      : [weight, { name: 'bias', shape: [options.filters], filler: constant(0) }];
  },

  infer: ([, weight, bias]) => ({
    filters: weight?.[0] ?? 0,
    kernel: [weight?.[2] ?? 0, weight?.[3] ?? 0] as const,
    bias: bias !== undefined,
  }),

  outputs([x, weight, bias], a) {
    checkImages(x);
    checkImages(weight, 'weight');
    const [n, c, h, w] = x;
    const [k, perGroup, r, s] = weight;
    check(
      perGroup * a.groups === c && k % a.groups === 0,
      () =>
        `expected weight (${k}, ${c / a.groups}, ${r}, ${s}) for input ${format(x)} with groups ${a.groups}, got ${format(weight)}`,
    );
    check(!bias || count(bias) === k, () => `expected bias (${k}), got ${format(bias!)}`);
    const oh = extent(h, r, a.dilationH, a.padH, a.strideH);
    const ow = extent(w, s, a.dilationW, a.padW, a.strideW);
    check(
      oh > 0 && ow > 0,
      () =>
        `expected a kernel of at most ${h + 2 * a.padH}x${w + 2 * a.padW} for input ${format(x)}, got ${r}x${s} with dilation ${a.dilationH}x${a.dilationW}`,
    );
    return [{ shape: [n, k, oh, ow] }];
  },

  backward(e) {
    const [x, weight, bias] = e.inputs;
    const a = geometry(e.attributes);
    const dx = e.wants(0) ? e.temp(x!.shape) : undefined;
    if (dx) e.run('conv2d_dgrad', [e.dy, weight], [dx], a);
    const dweight = e.wants(1) ? e.temp(weight!.shape) : undefined;
    const dbias = bias && e.wants(2) ? e.temp(bias.shape) : undefined;
    if (dweight || dbias) e.run('conv2d_wgrad', [x, e.dy], [dweight, dbias], a);
    return [dx, dweight, dbias];
  },

  flops: ([, weight], [y]) => 2 * count(y!) * count(weight!, 1),
});

/**
 * Convolution (cross-correlation) of `x` (N, C, H, W); result (N, filters, H', W'), H' = floor((H + 2 pad − dilation (kernel − 1) − 1) / stride) + 1.
 * Parameters: `weight` (filters, C / groups, kernel, kernel), `bias` (filters).
 * @throws {ShapeError} when channels or filters do not divide into groups, or the kernel does not fit
 */
export function conv2d(x: Value, options: Conv2dOptions & LayerOptions): Value {
  return layer(conv2dOp, [x], options)[0]!;
}
