import type { Value } from '../../graph.js';
import { powerOp } from '../../ops/activations.js';
import { concatOp } from '../../ops/concat.js';
import { flattenOp } from '../../ops/flatten.js';
import { padOp } from '../../ops/pad.js';
import { reductionOp, type ReductionOperation } from '../../ops/reduction.js';
import { reshapeOp } from '../../ops/reshape.js';
import { sliceOp } from '../../ops/slice.js';
import { tileOp } from '../../ops/tile.js';
import { count, format, same, type Shape } from '../../shape.js';
import { extentsOf } from './fold.js';
import type { Item } from './items.js';
import type { Reader, Site } from './site.js';

/** The same elements under other extents; the batch stays in front where it was. */
function toShape(site: Site, shape: Shape, suffix = ''): Value {
  const { x } = site;
  if (same(x.shape, shape)) return x;
  const dims = shape[0] === x.shape[0] ? [0, ...shape.slice(1)] : [-1, ...shape.slice(1)];
  return site.add(reshapeOp, [x], { dims }, {}, suffix);
}

/** What the file says of the new extents, in terms of the batch: 0 keeps an extent, one −1 takes what is left. */
function reshape(site: Site): readonly Item[] {
  const { x } = site;
  const wanted = site.ints('shape')?.map((fixed) => ({ fixed, batches: 0 })) ?? extentsOf(site.inputs[1])?.items;
  if (!wanted) throw site.error('expected a shape that is known');
  const zero = site.int('allowzero', 0) === 1 ? NaN : 0;
  const dims = wanted.map(({ fixed, batches }, i) => {
    const keeps = batches === 0 ? fixed === zero || (i === 0 && fixed === x.shape[0]) : i === 0 && fixed === 0;
    if (keeps && (batches === 0 || batches * site.builder.batch === x.shape[0])) return 0;
    return batches === 0 ? fixed : -1;
  });
  if (dims.filter((d) => d === -1).length > 1)
    throw site.error('expected at most one extent that is open or depends on the batch, beside a batch in front');
  return [site.add(reshapeOp, [x], { dims })];
}

/** Only the axes in front of `axis`, and those from there on, remain apart. */
function flatten(site: Site): readonly Item[] {
  const { x } = site;
  const rank = x.shape.length;
  const given = site.int('axis', 1);
  const axis = given < 0 ? given + rank : given;
  if (axis === 1 && rank > 1) return [rank === 2 ? x : site.add(flattenOp, [x], {})];
  if (axis === 0) return [site.add(reshapeOp, [x], { dims: [1, -1] })];
  return [toShape(site, [count(x.shape, 0, axis), count(x.shape, axis)])];
}

function squeeze(site: Site): readonly Item[] {
  const { shape } = site.x;
  const axes = site.setting('axes', 1)?.map((axis) => site.axis(axis, shape.length));
  return [
    toShape(
      site,
      shape.filter((extent, i) => (axes ? !axes.includes(i) : extent !== 1 || i === 0)),
    ),
  ];
}

function unsqueeze(site: Site): readonly Item[] {
  const given = site.setting('axes', 1) ?? [];
  const rank = site.x.shape.length + given.length;
  const axes = given.map((axis) => site.axis(axis, rank));
  if (axes.includes(0)) throw site.error('an axis in front of the batch is not supported');
  const rest = [...site.x.shape];
  return [
    toShape(
      site,
      Array.from({ length: rank }, (_, i) => (axes.includes(i) ? 1 : rest.shift()!)),
    ),
  ];
}

/** Elements stay in order where only axes of extent 1 change their place. */
function transpose(site: Site): readonly Item[] {
  const { shape } = site.x;
  const order = site.ints('perm') ?? shape.map((_, i) => shape.length - 1 - i);
  const long = order.filter((axis) => axis === 0 || shape[axis] !== 1);
  if (order[0] !== 0 || long.some((axis, i) => i > 0 && axis < long[i - 1]!))
    throw site.error(`the order ${order.join(', ')} of ${format(shape)} moves elements, which is not supported`);
  return [
    toShape(
      site,
      order.map((axis) => shape[axis]!),
    ),
  ];
}

function concat(site: Site): readonly Item[] {
  const values = site.inputs.map((_, i) => site.value(i));
  return [site.add(concatOp, values, { axis: site.axis(site.int('axis', 1), values[0]!.shape.length) })];
}

function split(site: Site): readonly Item[] {
  const { x, node } = site;
  const axis = site.axis(site.int('axis', 0), x.shape.length);
  const size = x.shape[axis]!;
  const parts = node.output.length;
  const each = Math.ceil(size / parts);
  const extents = site.setting('split', 1) ?? Array.from({ length: parts }, (_, i) => Math.min(each, size - i * each));
  if (extents.length !== parts || extents.reduce((a, b) => a + b, 0) !== size)
    throw site.error(`expected ${parts} parts of ${size}, got ${extents.join(', ')}`);
  return cut(site, x, axis, extents, '');
}

/** Parts along an axis. */
function cut(site: Site, x: Value, axis: number, extents: readonly number[], suffix: string): readonly Value[] {
  if (extents.length === 1) return [x];
  const ends = extents.slice(0, -1).map((_, i) => extents.slice(0, i + 1).reduce((a, b) => a + b, 0));
  const first = site.add(sliceOp, [x], { axis, points: ends }, {}, suffix);
  return typeof first.source === 'object' && 'node' in first.source ? first.source.node.outputs : [first];
}

function slice(site: Site): readonly Item[] {
  const { shape } = site.x;
  const starts = site.setting('starts', 1) ?? [];
  const ends = site.setting('ends', 2) ?? [];
  const axes = site.setting('axes', 3) ?? starts.map((_, i) => i);
  if ((site.setting('steps', 4) ?? []).some((step) => step !== 1)) throw site.error('steps are not supported');
  return [
    axes.reduce((x, given, i) => {
      const axis = site.axis(given, shape.length);
      const size = shape[axis]!;
      const place = (at: number): number => Math.min(size, Math.max(0, at < 0 ? at + size : at));
      const [from, to] = [place(starts[i] ?? 0), place(ends[i] ?? size)];
      if (from >= to) throw site.error(`nothing is left of axis ${axis}`);
      if (from === 0 && to === size) return x;
      if (axis === 0) throw site.error('a part of the batch is not supported');
      const extents = [from, to - from, size - to].filter((n) => n > 0);
      return cut(site, x, axis, extents, axes.length > 1 ? `.${i}` : '')[from > 0 ? 1 : 0]!;
    }, site.x),
  ];
}

/** A border of another value than zero: the image is shifted, given zeros, and shifted back. */
function pad(site: Site): readonly Item[] {
  const { x } = site;
  const rank = x.shape.length;
  if (site.text('mode', 'constant') !== 'constant') throw site.error('only borders of a constant are supported');
  const list = site.ints('paddings') ?? site.setting('pads', 1) ?? [];
  const axes = (site.has(3) ? site.numbers(3) : x.shape.map((_, i) => i)).map((axis) => site.axis(axis, rank));
  if (list.length !== 2 * axes.length || list.some((n) => n < 0))
    throw site.error(`expected ${2 * axes.length} pads of at least 0, got ${list.join(', ')}`);
  const side = (first: number): number[] =>
    x.shape.map((_, i) => (axes.includes(i) ? list[first + axes.indexOf(i)]! : 0));
  const [value = 0] = site.has(2) ? site.numbers(2) : [site.float('value', 0)];
  const options = { before: side(0), after: side(axes.length) };
  if (value === 0) return [site.add(padOp, [x], options)];
  const shifted = site.add(powerOp, [x], { shift: -value }, {}, '.shift');
  return [site.add(powerOp, [site.add(padOp, [shifted], options, {}, '.zeros')], { shift: value })];
}

/** Copies of x along its axes. */
function tile(site: Site): readonly Item[] {
  const repeats = site.numbers(1);
  if (repeats[0] !== 1) throw site.error('copies of the batch are not supported');
  return [
    repeats.reduce(
      (x, tiles, axis) => (tiles === 1 ? x : site.add(tileOp, [x], { axis, tiles }, {}, `.${axis}`)),
      site.x,
    ),
  ];
}

function expand(site: Site): readonly Item[] {
  const { x } = site;
  const shape = extentsOf(site.inputs[1])?.items.map(({ fixed, batches }) => fixed + batches * site.builder.batch);
  const stays = shape?.every((extent, i) => extent === 1 || extent === x.shape[x.shape.length - shape.length + i]);
  if (stays && shape!.length <= x.shape.length) return [x];
  throw site.error('copies are not supported; only an expansion to the same shape is');
}

/** The axes must be the last ones. */
const reduce =
  (operation: ReductionOperation): Reader =>
  (site) => {
    const { shape } = site.x;
    const rank = shape.length;
    const given = site.setting('axes', 1) ?? shape.map((_, i) => i);
    const axes = given.map((axis) => site.axis(axis, rank)).toSorted((a, b) => a - b);
    const [axis = 0] = axes;
    const rest = shape.slice(axis).map((extent, i) => (axes.includes(axis + i) ? 1 : extent));
    if (axis === 0 || rest.some((extent) => extent !== 1))
      throw site.error(`expected the last axes to be reduced, got ${axes.join(', ')} of ${format(shape)}`);
    const keep = site.int('keepdims', 1) === 1;
    const y = site.add(reductionOp, [site.x], { operation, axis }, {}, keep ? '.reduced' : '');
    return [keep ? site.add(reshapeOp, [y], { dims: rest, axis, numAxes: 0 }) : y];
  };

/** Layers that move elements, or add them up. */
export const arrangeReaders: Readonly<Record<string, Reader>> = {
  Reshape: reshape,
  Flatten: flatten,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Transpose: transpose,
  Concat: concat,
  Split: split,
  Slice: slice,
  Pad: pad,
  Tile: tile,
  Expand: expand,
  ReduceMean: reduce('mean'),
  ReduceSum: reduce('sum'),
  ReduceSumSquare: reduce('sumsq'),
  ReduceL1: reduce('asum'),
  Identity: (site) => [site.inputs[0]!],
  Cast: (site) => [site.inputs[0]!],
};
