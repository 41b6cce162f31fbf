import { averagePoolOp } from '../../ops/average-pool.js';
import { conv2dOp, type ConvAttributes } from '../../ops/conv2d.js';
import { deconv2dOp } from '../../ops/deconv2d.js';
import { maxPoolOp } from '../../ops/max-pool.js';
import { padOp } from '../../ops/pad.js';
import { pooled, type PoolAttributes } from '../../ops/pool.js';
import { GraphError } from '../../errors.js';
import type { Shape } from '../../shape.js';
import type { OnnxAttribute } from '../schema.js';
import { int, ints } from './model.js';
import { writer, type WriteSite } from './site.js';

function convolution(site: WriteSite, a: ConvAttributes): { inputs: string[]; attributes: OnnxAttribute[] } {
  const [, , r, s] = site.shape(1);
  return {
    inputs: [site.x, site.param(1), ...(site.has(2) ? [site.param(2)] : [])],
    attributes: [
      ints('kernel_shape', [r!, s!]),
      ints('strides', [a.strideH, a.strideW]),
      ints('pads', [a.padH, a.padW, a.padH, a.padW]),
      ints('dilations', [a.dilationH, a.dilationW]),
      int('group', a.groups),
    ],
  };
}

/** How far the last window reaches behind the image, where the result is what ours is. */
function behind(x: Shape, a: PoolAttributes): readonly [number, number] {
  const [, , h, w] = pooled(x, a);
  const reach = (n: number, stride: number, kernel: number, pad: number, size: number): number =>
    Math.max(0, (n - 1) * stride + kernel - pad - size);
  return [reach(h!, a.strideH, a.kernelH, a.padH, x[2]!), reach(w!, a.strideW, a.kernelW, a.padW, x[3]!)];
}

/** Windows by their pads alone: what ceil_mode means has changed from version to version. */
function poolWindow(a: PoolAttributes, before: readonly number[], after: readonly number[]): OnnxAttribute[] {
  return [
    ints('kernel_shape', [a.kernelH, a.kernelW]),
    ints('strides', [a.strideH, a.strideW]),
    ints('pads', [...before, ...after]),
  ];
}

function maxPool(site: WriteSite, a: PoolAttributes & { readonly mask: number }): readonly string[] {
  if (a.mask) throw new GraphError('the places of the maxima are not in ONNX as they are here');
  return site.last('MaxPool', [site.x], poolWindow(a, [a.padH, a.padW], behind(site.shape(0), a)));
}

/** Padding counts, what hangs over it does not: where both are, the padding becomes zeros of the image. */
function averagePool(site: WriteSite, a: PoolAttributes): readonly string[] {
  const after = behind(site.shape(0), a);
  const over = [after[0] - a.padH, after[1] - a.padW].map((n) => Math.max(0, n));
  if (over.every((n) => n === 0)) {
    const attributes = [...poolWindow(a, [a.padH, a.padW], after), int('count_include_pad', 1)];
    return site.last('AveragePool', [site.x], attributes);
  }
  const padded = a.padH + a.padW === 0 ? site.x : zeros(site, [0, 0, a.padH, a.padW], [0, 0, a.padH, a.padW]);
  return site.last('AveragePool', [padded], poolWindow(a, [0, 0], over));
}

function zeros(site: WriteSite, before: readonly number[], after: readonly number[]): string {
  return site.step('Pad', [site.x, site.wholes([...before, ...after])]);
}

/** Layers with a window that moves over images, and the border around them. */
export const windowWriters = [
  writer(conv2dOp, (site, a) => {
    const { inputs, attributes } = convolution(site, a);
    return site.last('Conv', inputs, attributes);
  }),
  writer(deconv2dOp, (site, a) => {
    const { inputs, attributes } = convolution(site, a);
    return site.last('ConvTranspose', inputs, attributes);
  }),
  writer(maxPoolOp, maxPool),
  writer(averagePoolOp, averagePool),
  writer(padOp, (site, { before, after }) => site.last('Pad', [site.x, site.wholes([...before, ...after])])),
] as const;
