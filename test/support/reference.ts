/**
 * The layers of AlexNet, one element at a time, written from their definitions in double precision. Inputs are the
 * float32 tensors that a run gave back, so that each layer is judged alone.
 */
import type { Tensor } from '../../lib/index.js';

/** Position in an image blob (N, C, H, W) or a filter bank. */
export type At = readonly [number, number, number, number];

/** Geometry of a square convolution. */
export interface Conv {
  readonly stride: number;
  readonly pad: number;
  readonly groups: number;
}

/** Geometry of a square pooling window. */
export interface Pool {
  readonly kernel: number;
  readonly stride: number;
}

/** Caffe's LRN across channels: alpha is divided by the size of the window. */
export interface Lrn {
  readonly size: number;
  readonly alpha: number;
  readonly beta: number;
}

type Image = Tensor & { readonly shape: readonly number[] };

const extent = (x: Image, axis: number): number => x.shape[axis]!;

/** Number of an element in C order. */
export function index(x: Image, [n, c, h, w]: At): number {
  return ((n * extent(x, 1) + c) * extent(x, 2) + h) * extent(x, 3) + w;
}

const value = (x: Image, at: At): number => x.data[index(x, at)]!;

const inside = (x: Image, h: number, w: number): boolean => h >= 0 && w >= 0 && h < extent(x, 2) && w < extent(x, 3);

/** One element of the convolution of x with `weight`. */
export function conv(x: Image, weight: Image, bias: Tensor, { stride, pad, groups }: Conv, [n, k, oh, ow]: At): number {
  const channels = extent(weight, 1);
  const first = Math.floor(k / (extent(weight, 0) / groups)) * channels;
  let sum = bias.data[k]!;
  for (let c = 0; c < channels; c++) {
    for (let r = 0; r < extent(weight, 2); r++) {
      for (let s = 0; s < extent(weight, 3); s++) {
        const [h, w] = [oh * stride - pad + r, ow * stride - pad + s];
        if (inside(x, h, w)) sum += value(x, [n, first + c, h, w]) * value(weight, [k, c, r, s]);
      }
    }
  }
  return sum;
}

/** One element of its input's gradient. */
export function convInputGradient(dy: Image, weight: Image, { stride, pad, groups }: Conv, [n, c, h, w]: At): number {
  const [filters, channels] = [extent(weight, 0) / groups, extent(weight, 1)];
  const group = Math.floor(c / channels);
  let sum = 0;
  for (let k = group * filters; k < (group + 1) * filters; k++) {
    for (let r = 0; r < extent(weight, 2); r++) {
      for (let s = 0; s < extent(weight, 3); s++) {
        const [oh, ow] = [(h + pad - r) / stride, (w + pad - s) / stride];
        if (!Number.isInteger(oh) || !Number.isInteger(ow) || !inside(dy, oh, ow)) continue;
        sum += value(dy, [n, k, oh, ow]) * value(weight, [k, c % channels, r, s]);
      }
    }
  }
  return sum;
}

/** One element of its filters' gradient; the second index counts channels within the group. */
export function convWeightGradient(x: Image, dy: Image, { stride, pad, groups }: Conv, [k, c, r, s]: At): number {
  const channel = Math.floor(k / (extent(dy, 1) / groups)) * (extent(x, 1) / groups) + c;
  let sum = 0;
  for (let n = 0; n < extent(x, 0); n++) {
    for (let oh = 0; oh < extent(dy, 2); oh++) {
      for (let ow = 0; ow < extent(dy, 3); ow++) {
        const [h, w] = [oh * stride - pad + r, ow * stride - pad + s];
        if (inside(x, h, w)) sum += value(x, [n, channel, h, w]) * value(dy, [n, k, oh, ow]);
      }
    }
  }
  return sum;
}

/** Sum of one channel of a gradient. */
export function channelSum(dy: Image, channel: number): number {
  let sum = 0;
  const pixels = dy.shape.slice(2).reduce((a, b) => a * b, 1);
  for (let n = 0; n < extent(dy, 0); n++) {
    const start = (n * extent(dy, 1) + channel) * pixels;
    for (let i = start; i < start + pixels; i++) sum += dy.data[i]!;
  }
  return sum;
}

/** One element of x W^T + bias; every axis behind the first is an input. */
export function dense(x: Image, weight: Tensor, bias: Tensor, row: number, unit: number): number {
  const inputs = weight.shape[1]!;
  let sum = bias.data[unit]!;
  for (let i = 0; i < inputs; i++) sum += x.data[row * inputs + i]! * weight.data[unit * inputs + i]!;
  return sum;
}

/** One element of its input's gradient. */
export function denseInputGradient(dy: Image, weight: Tensor, row: number, i: number): number {
  const [units, inputs] = [weight.shape[0]!, weight.shape[1]!];
  let sum = 0;
  for (let unit = 0; unit < units; unit++) sum += dy.data[row * units + unit]! * weight.data[unit * inputs + i]!;
  return sum;
}

/** One element of its weight's gradient. */
export function denseWeightGradient(x: Image, dy: Image, unit: number, i: number): number {
  const rows = extent(x, 0);
  const [inputs, units] = [x.data.length / rows, dy.data.length / rows];
  let sum = 0;
  for (let row = 0; row < rows; row++) sum += x.data[row * inputs + i]! * dy.data[row * units + unit]!;
  return sum;
}

/** 1 + alpha / size times the squares of the window around a channel. */
function lrnScale(x: Image, { size, alpha }: Lrn, [n, c, h, w]: At): number {
  let sum = 0;
  for (let i = c - (size - 1) / 2; i <= c + (size - 1) / 2; i++) {
    if (i >= 0 && i < extent(x, 1)) sum += value(x, [n, i, h, w]) ** 2;
  }
  return 1 + (alpha / size) * sum;
}

/** One element of the response normalisation across channels. */
export function lrn(x: Image, options: Lrn, at: At): number {
  return value(x, at) * lrnScale(x, options, at) ** -options.beta;
}

/** One element of its gradient. */
export function lrnGradient(x: Image, dy: Image, options: Lrn, at: At): number {
  const [n, c, h, w] = at;
  const { size, alpha, beta } = options;
  let sum = 0;
  for (let i = c - (size - 1) / 2; i <= c + (size - 1) / 2; i++) {
    if (i < 0 || i >= extent(x, 1)) continue;
    const neighbour: At = [n, i, h, w];
    sum += value(dy, neighbour) * value(x, neighbour) * lrnScale(x, options, neighbour) ** (-beta - 1);
  }
  return value(dy, at) * lrnScale(x, options, at) ** -beta - ((2 * alpha * beta) / size) * value(x, at) * sum;
}

/** Place of the first maximum of one window, in row-major order. */
function maximumAt(x: Image, { kernel, stride }: Pool, [n, c, oh, ow]: At): At {
  let best: At = [n, c, oh * stride, ow * stride];
  for (let h = oh * stride; h < Math.min(oh * stride + kernel, extent(x, 2)); h++) {
    for (let w = ow * stride; w < Math.min(ow * stride + kernel, extent(x, 3)); w++) {
      if (value(x, [n, c, h, w]) > value(x, best)) best = [n, c, h, w];
    }
  }
  return best;
}

/** One element of the maximum over windows without padding. */
export function maxPool(x: Image, options: Pool, at: At): number {
  return value(x, maximumAt(x, options, at));
}

/** One element of its gradient: the first maximum takes all. */
export function maxPoolGradient(x: Image, dy: Image, options: Pool, at: At): number {
  const [n, c, h, w] = at;
  let sum = 0;
  for (let oh = 0; oh < extent(dy, 2); oh++) {
    if (h < oh * options.stride || h >= oh * options.stride + options.kernel) continue;
    for (let ow = 0; ow < extent(dy, 3); ow++) {
      if (w < ow * options.stride || w >= ow * options.stride + options.kernel) continue;
      const out: At = [n, c, oh, ow];
      if (index(x, maximumAt(x, options, out)) === index(x, at)) sum += value(dy, out);
    }
  }
  return sum;
}

/** One row of the softmax over the second axis. */
export function softmaxRow(x: Tensor, row: number): number[] {
  const width = x.shape[1]!;
  const values = Array.from(x.data.subarray(row * width, (row + 1) * width));
  const most = Math.max(...values);
  const powers = values.map((v) => Math.exp(v - most));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / total);
}
