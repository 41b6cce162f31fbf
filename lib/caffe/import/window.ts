import type { Filler } from '../../fillers.js';
import type { Value } from '../../graph.js';
import type { Op } from '../../op.js';
import { averagePoolOp } from '../../ops/average-pool.js';
import { conv2dOp, type Conv2dOptions, type ConvAttributes } from '../../ops/conv2d.js';
import { deconv2dOp } from '../../ops/deconv2d.js';
import { lrnOp } from '../../ops/lrn.js';
import { maxPoolOp } from '../../ops/max-pool.js';
import type { PoolAttributes, PoolOptions } from '../../ops/pool.js';
import { create, ConvolutionParameter, filled, LRNParameter, PoolingParameter, type Message } from '../schema.js';
import { fillerMessage, fillerOf } from './fillers.js';
import { writer, type Family } from './family.js';
import type { Site } from './site.js';

type Pair = readonly [height: number, width: number];

/** A setting of both axes: `name` once or twice, or `name_h` and `name_w`. */
function pairOf(
  site: Site,
  name: string,
  list: readonly number[],
  h: number | undefined,
  w: number | undefined,
  otherwise?: number,
): Pair {
  if (h !== undefined || w !== undefined) {
    if (list.length > 0) throw site.error(`expected either ${name} or ${name.replace('_size', '')}_h and _w, got both`);
    if (h === undefined || w === undefined) throw site.error(`expected ${name.replace('_size', '')}_h and _w together`);
    return [h, w];
  }
  const [first = otherwise, second = first] = list;
  if (first === undefined || second === undefined) throw site.error(`expected ${name}`);
  if (list.length > 2) throw site.error(`expected one or two entries of ${name} for images, got ${list.length}`);
  return [first, second];
}

function convolution(op: Op<Conv2dOptions, ConvAttributes & { readonly relu: number }>) {
  return (site: Site): readonly Value[] => {
    const given = site.layer.convolution_param;
    const p = filled(ConvolutionParameter, given);
    if (p.num_output === undefined) throw site.error('expected convolution_param with num_output');
    if (p.axis !== 1 && p.axis !== -3) throw site.error(`expected axis 1 (channels), got ${p.axis}`);
    const options: Conv2dOptions = {
      filters: p.num_output,
      kernel: pairOf(site, 'kernel_size', p.kernel_size, p.kernel_h, p.kernel_w),
      stride: pairOf(site, 'stride', p.stride, p.stride_h, p.stride_w, 1),
      pad: pairOf(
        site,
        'pad',
        p.pad,
        given?.pad_h ?? (given?.pad_w === undefined ? undefined : 0),
        given?.pad_w ?? (given?.pad_h === undefined ? undefined : 0),
        0,
      ),
      dilation: pairOf(site, 'dilation', p.dilation, undefined, undefined, 1),
      groups: p.group,
      bias: p.bias_term,
    };
    const params: Record<string, Filler> = { weight: fillerOf(p.weight_filler) };
    if (p.bias_term) params.bias = fillerOf(p.bias_filler);
    const [first, ...others] = site.takes(1, Infinity);
    const y = site.add(op, [first!], options, params);
    return [...y, ...others.flatMap((x) => site.again(op, [x], options, params))];
  };
}

/** One entry where both axes agree. */
function entries([h, w]: Pair, silent?: number): number[] {
  if (h !== w) return [h, w];
  return h === silent ? [] : [h];
}

function convolutionParameter(
  options: Conv2dOptions,
  a: ConvAttributes,
  [weight, bias]: readonly Filler[],
): Message<typeof ConvolutionParameter> {
  const kernel: Pair = typeof options.kernel === 'number' ? [options.kernel, options.kernel] : options.kernel;
  return create(ConvolutionParameter, {
    num_output: options.filters,
    ...(!bias && { bias_term: false }),
    pad: entries([a.padH, a.padW], 0),
    kernel_size: entries(kernel),
    stride: entries([a.strideH, a.strideW], 1),
    dilation: entries([a.dilationH, a.dilationW], 1),
    ...(a.groups !== 1 && { group: a.groups }),
    ...(weight && { weight_filler: fillerMessage(weight) }),
    ...(bias && { bias_filler: fillerMessage(bias) }),
  });
}

function pooling(site: Site): readonly Value[] {
  const given = site.layer.pooling_param;
  const p = filled(PoolingParameter, given);
  if (p.pool === 'STOCHASTIC') throw site.error('expected pool MAX or AVE; STOCHASTIC is not supported');
  const [x] = site.takes(1);
  const options = p.global_pooling
    ? globalPooling(site)
    : ({ ...poolWindow(site), round: p.round_mode === 'FLOOR' ? 'floor' : 'ceil' } as const);
  if (p.pool === 'AVE') return site.add(averagePoolOp, [x!], options);
  return site.add(maxPoolOp, [x!], { ...options, mask: site.layer.top.length > 1 });
}

function poolWindow(site: Site): PoolOptions {
  const { kernel_size, kernel_h, kernel_w, stride, stride_h, stride_w, pad, pad_h, pad_w } =
    site.layer.pooling_param ?? {};
  const list = (value: number | undefined): number[] => (value === undefined ? [] : [value]);
  const padded = pad_h !== undefined || pad_w !== undefined;
  return {
    kernel: pairOf(site, 'kernel_size', list(kernel_size), kernel_h, kernel_w),
    stride: pairOf(site, 'stride', list(stride), stride_h, stride_w, 1),
    pad: padded
      ? pairOf(site, 'pad', list(pad), pad_h ?? 0, pad_w ?? 0)
      : pairOf(site, 'pad', list(pad), undefined, undefined, 0),
  };
}

function globalPooling(site: Site): PoolOptions {
  const {
    kernel_size,
    kernel_h,
    kernel_w,
    stride = 1,
    stride_h = 1,
    stride_w = 1,
    pad = 0,
    pad_h = 0,
    pad_w = 0,
  } = site.layer.pooling_param ?? {};
  if (kernel_size !== undefined || kernel_h !== undefined || kernel_w !== undefined)
    throw site.error('expected no kernel with global_pooling: true');
  if (Math.max(stride, stride_h, stride_w) !== 1 || Math.max(pad, pad_h, pad_w) !== 0)
    throw site.error('expected stride 1 and pad 0 with global_pooling: true');
  return { global: true };
}

function poolingParameter(
  pool: 'MAX' | 'AVE',
  { global = false }: PoolOptions,
  a: PoolAttributes,
): Message<typeof PoolingParameter> {
  const method = { pool };
  if (global) return { ...method, global_pooling: true };
  const round = a.ceil ? {} : ({ round_mode: 'FLOOR' } as const);
  const square = a.kernelH === a.kernelW && a.strideH === a.strideW && a.padH === a.padW;
  if (square)
    return {
      ...method,
      kernel_size: a.kernelH,
      ...(a.strideH !== 1 && { stride: a.strideH }),
      ...(a.padH !== 0 && { pad: a.padH }),
      ...round,
    };
  const { kernelH: kernel_h, kernelW: kernel_w, strideH: stride_h, strideW: stride_w, padH: pad_h, padW: pad_w } = a;
  return { ...method, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, ...round };
}

function lrn(site: Site): readonly Value[] {
  const { local_size: localSize, alpha, beta, k, norm_region } = filled(LRNParameter, site.layer.lrn_param);
  const region = norm_region === 'WITHIN_CHANNEL' ? 'within' : 'across';
  return site.add(lrnOp, site.takes(1), { region, localSize, alpha, beta, k });
}

export const windowFamily: Family = {
  readers: { Convolution: convolution(conv2dOp), Deconvolution: convolution(deconv2dOp), Pooling: pooling, LRN: lrn },
  writers: {
    ...writer(conv2dOp, (o, a, fillers) => ({
      type: 'Convolution',
      convolution_param: convolutionParameter(o, a, fillers),
    })),
    ...writer(deconv2dOp, (o, a, fillers) => ({
      type: 'Deconvolution',
      convolution_param: convolutionParameter(o, a, fillers),
    })),
    ...writer(maxPoolOp, (o, a) => ({ type: 'Pooling', pooling_param: poolingParameter('MAX', o, a) })),
    ...writer(averagePoolOp, (o, a) => ({ type: 'Pooling', pooling_param: poolingParameter('AVE', o, a) })),
    ...writer(lrnOp, (_, { within, localSize, alpha, beta, k }) => ({
      type: 'LRN',
      lrn_param: {
        local_size: localSize,
        alpha,
        beta,
        ...(within ? { norm_region: 'WITHIN_CHANNEL' } : k !== 1 && { k }),
      },
    })),
  },
};
