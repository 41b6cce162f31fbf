import { averagePoolOp } from '../../ops/average-pool.js';
import { conv2dOp } from '../../ops/conv2d.js';
import { deconv2dOp } from '../../ops/deconv2d.js';
import { maxPoolOp } from '../../ops/max-pool.js';
import { padOp } from '../../ops/pad.js';
import { poolAttributes, pooled } from '../../ops/pool.js';
import { scaleOp } from '../../ops/scale.js';
import type { Value } from '../../graph.js';
import { fromTensor } from '../../formats/elements.js';
import { Constant } from './items.js';
import type { Reader, Site } from './site.js';

type Pair = readonly [height: number, width: number];

/** The window of a convolution or pooling, one entry for height and one for width. */
interface Window {
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly dilation: Pair;
  readonly before: Pair;
  readonly after: Pair;
}

function images(site: Site): Value {
  const { x } = site;
  if (x.shape.length !== 4) throw site.error(`expected images (N, C, H, W), got (${x.shape.join(', ')})`);
  return x;
}

function pairOf(site: Site, name: string, otherwise: Pair): Pair {
  const list = site.ints(name);
  if (!list) return otherwise;
  if (list.length !== 2) throw site.error(`expected two ${name}, got ${list.length}`);
  return [list[0]!, list[1]!];
}

function windowOf(site: Site, x: Value, kernel: Pair): Window {
  const stride = pairOf(site, 'strides', [1, 1]);
  const dilation = pairOf(site, 'dilations', [1, 1]);
  const pads = site.ints('pads') ?? [0, 0, 0, 0];
  if (pads.length !== 4) throw site.error(`expected four pads, got ${pads.length}`);
  const given = { kernel, stride, dilation, before: [pads[0]!, pads[1]!], after: [pads[2]!, pads[3]!] } as const;
  const mode = site.text('auto_pad', 'NOTSET');
  if (mode === 'NOTSET' || mode === '') return given;
  if (mode === 'VALID') return { ...given, before: [0, 0], after: [0, 0] };
  const total = ([0, 1] as const).map((i) => {
    const size = x.shape[2 + i]!;
    const reach = (Math.ceil(size / stride[i]) - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1;
    return Math.max(0, reach - size);
  });
  const less = total.map((n) => Math.floor(n / 2)) as unknown as Pair;
  const more = total.map((n) => Math.ceil(n / 2)) as unknown as Pair;
  return mode === 'SAME_LOWER' ? { ...given, before: more, after: less } : { ...given, before: less, after: more };
}

const even = ({ before, after }: Window): boolean => before[0] === after[0] && before[1] === after[1];

/** The image with zeros around it, for windows that are padded unevenly. */
function padded(site: Site, x: Value, { before, after }: Window): Value {
  return site.add(padOp, [x], { before: [0, 0, ...before], after: [0, 0, ...after] }, {}, '.pad');
}

function convolution(site: Site): readonly Value[] {
  const x = images(site);
  const weight = site.constant(1);
  const [filters, , r, s] = weight.shape;
  if (weight.shape.length !== 4) throw site.error(`expected filters (K, C, R, S), got (${weight.shape.join(', ')})`);
  const window = windowOf(site, x, [r!, s!]);
  const bias = site.has(2);
  const options = {
    filters: filters!,
    kernel: window.kernel,
    stride: window.stride,
    dilation: window.dilation,
    pad: even(window) ? window.before : 0,
    groups: site.int('group', 1),
    bias,
  };
  const from = even(window) ? x : padded(site, x, window);
  const weights = { weight: site.weight(weight), ...(bias && { bias: site.weight(site.constant(2)) }) };
  return [site.add(conv2dOp, [from], options, weights)];
}

function transposed(site: Site): readonly Value[] {
  const x = images(site);
  const weight = site.constant(1);
  const [, perGroup, r, s] = weight.shape;
  const groups = site.int('group', 1);
  if (site.ints('output_shape')) throw site.error('output_shape is not supported; give pads');
  if ((site.ints('output_padding') ?? []).some((n) => n !== 0)) throw site.error('output_padding is not supported');
  if (!['NOTSET', 'VALID', ''].includes(site.text('auto_pad', 'NOTSET'))) throw site.error('auto_pad is not supported');
  const window = windowOf(site, x, [r!, s!]);
  if (!even(window)) throw site.error('uneven pads are not supported');
  const { kernel, stride, dilation, before: pad } = window;
  const bias = site.has(2);
  const weights = { weight: site.weight(weight), ...(bias && { bias: site.weight(site.constant(2)) }) };
  return [
    site.add(deconv2dOp, [x], { filters: perGroup! * groups, kernel, stride, dilation, pad, groups, bias }, weights),
  ];
}

/** How many windows the format asks for along an axis: the last of them must begin before the padding behind the image. */
function windows(site: Site, w: Window, size: number, i: 0 | 1): number {
  const room = (size + w.before[i] + w.after[i] - w.kernel[i]) / w.stride[i];
  const ceil = site.int('ceil_mode', 0) === 1;
  const n = (ceil ? Math.ceil(room) : Math.floor(room)) + 1;
  return ceil && (n - 1) * w.stride[i] >= size + w.before[i] ? n - 1 : n;
}

/** Our rounding that gives these windows with the padding in front on both sides; undefined where none does. */
function rounding(x: Value, w: Window, wanted: Pair): 'floor' | 'ceil' | undefined {
  return (['floor', 'ceil'] as const).find((round) => {
    try {
      const options = { kernel: w.kernel, stride: w.stride, pad: w.before, round };
      const [, , h, width] = pooled(x.shape, poolAttributes(options, x.shape));
      return h === wanted[0] && width === wanted[1];
    } catch {
      return false;
    }
  });
}

function poolWindow(site: Site, x: Value): { window: Window; wanted: Pair } {
  const kernel = pairOf(site, 'kernel_shape', [0, 0]);
  const window = windowOf(site, x, kernel);
  if (window.dilation.some((d) => d !== 1)) throw site.error('dilations are not supported');
  return { window, wanted: [windows(site, window, x.shape[2]!, 0), windows(site, window, x.shape[3]!, 1)] };
}

function maxPooling(site: Site): readonly Value[] {
  const x = images(site);
  if (site.node.output[1]) throw site.error('the second output (indices) is not supported');
  const { window, wanted } = poolWindow(site, x);
  const round = rounding(x, window, wanted);
  if (!round) throw site.error(`pads ${[...window.before, ...window.after].join(', ')} are not supported: too uneven`);
  const { kernel, stride, before: pad } = window;
  return [site.add(maxPoolOp, [x], { kernel, stride, pad, round })];
}

/**
 * Our mean divides by the window clipped to the image and its padding. Where padding does not count, the result is multiplied
 * by how much less there is of the window within the image.
 */
function averagePooling(site: Site): readonly Value[] {
  const given = images(site);
  const { window, wanted } = poolWindow(site, given);
  const uneven = rounding(given, window, wanted) === undefined;
  const x = uneven ? padded(site, given, window) : given;
  const own: Window = uneven ? { ...window, before: [0, 0], after: [0, 0] } : window;
  const round = rounding(x, own, wanted);
  if (!round) throw site.error(`pads ${[...window.before, ...window.after].join(', ')} are not supported: too uneven`);
  const y = site.add(averagePoolOp, [x], { kernel: own.kernel, stride: own.stride, pad: own.before, round });
  const clear = [...window.before, ...window.after].every((pad) => pad === 0);
  if (clear || site.int('count_include_pad', 0) === 1) return [y];
  const [rows, columns] = ([0, 1] as const).map((i) =>
    shares(window, own, given.shape[2 + i]!, x.shape[2 + i]!, wanted[i], i),
  );
  const map = Float32Array.from({ length: wanted[0] * wanted[1] }, (_, i) => {
    return rows![Math.floor(i / wanted[1])]! * columns![i % wanted[1]]!;
  });
  if (map.every((factor) => factor === 1)) return [y];
  const factors = Constant.of(`${y.name}.factors`, fromTensor({ data: map, shape: wanted }));
  return [site.add(scaleOp, [y], { axis: 2, numAxes: 2 }, { weight: site.weight(factors) }, '.unpadded')];
}

/** For each window along an axis, the extent that was divided by over the extent within the image. */
function shares(asked: Window, own: Window, size: number, within: number, n: number, i: 0 | 1): number[] {
  return Array.from({ length: n }, (_, at) => {
    const start = at * own.stride[i] - own.before[i];
    const divided = Math.min(start + own.kernel[i], within + own.before[i]) - start;
    const first = at * asked.stride[i] - asked.before[i];
    return divided / (Math.min(first + asked.kernel[i], size) - Math.max(first, 0));
  });
}

/** Layers with a window that moves over images. */
export const windowReaders: Readonly<Record<string, Reader>> = {
  Conv: convolution,
  ConvTranspose: transposed,
  MaxPool: maxPooling,
  AveragePool: averagePooling,
  GlobalMaxPool: (site) => [site.add(maxPoolOp, [images(site)], { global: true })],
  GlobalAveragePool: (site) => [site.add(averagePoolOp, [images(site)], { global: true })],
};
