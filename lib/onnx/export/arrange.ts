import { batchReindexOp } from '../../ops/batch-reindex.js';
import { concatOp } from '../../ops/concat.js';
import { cropOp } from '../../ops/crop.js';
import { dropoutOp } from '../../ops/dropout.js';
import { embedOp } from '../../ops/embed.js';
import { flattenOp } from '../../ops/flatten.js';
import { parameterOp } from '../../ops/parameter.js';
import { reductionOp } from '../../ops/reduction.js';
import { reshapeOp } from '../../ops/reshape.js';
import { silenceOp } from '../../ops/silence.js';
import { sliceOp } from '../../ops/slice.js';
import { splitOp } from '../../ops/split.js';
import { stopGradientOp } from '../../ops/stop-gradient.js';
import { tileOp } from '../../ops/tile.js';
import { GraphError } from '../../errors.js';
import type { Shape } from '../../shape.js';
import { codeOf } from '../tensor.js';
import { int, ints } from './model.js';
import { writer, type WriteSite } from './site.js';

/** Extents for Reshape: 0 keeps one at its place, −1 takes what is left. */
function reshape(site: WriteSite, dims: readonly number[]): readonly string[] {
  return site.last('Reshape', [site.x, site.wholes(dims)]);
}

function reduction(site: WriteSite, operation: number, axis: number, coefficient: number): readonly string[] {
  const axes = site
    .shape(0)
    .slice(axis)
    .map((_, i) => axis + i);
  if (axes.length === 0) throw new GraphError('expected axes to reduce');
  const kind = ['ReduceSum', 'ReduceL1', 'ReduceSumSquare'][operation]!;
  // ReduceSum takes its axes as an input since version 13, the others since 18.
  const places =
    operation === 0 ? { inputs: [site.wholes(axes)], list: [] } : { inputs: [], list: [ints('axes', axes)] };
  const reduced = [site.x, ...places.inputs];
  const attributes = [...places.list, int('keepdims', 0)];
  if (coefficient === 1) return site.last(kind, reduced, attributes);
  return site.last('Mul', [site.step(kind, reduced, attributes), site.floats([coefficient])]);
}

/** Rows by their numbers, which are whole floats here. */
function rows(site: WriteSite, table: string, numbers: string): readonly [string, string] {
  return [table, site.step('Cast', [numbers], [int('to', codeOf('int64'))])];
}

/** Nodes that give their input as it is. */
const same = (site: WriteSite): readonly string[] => [site.x];

/** Layers that move elements, add them up, or do nothing in an exported net. */
export const arrangeWriters = [
  writer(concatOp, (site, { axis, extents }) =>
    site.last(
      'Concat',
      extents.map((_, i) => site.in(i)),
      [int('axis', axis)],
    ),
  ),
  writer(sliceOp, (site, { axis, extents }) =>
    extents.length === 1 ? same(site) : site.last('Split', [site.x, site.wholes(extents)], [int('axis', axis)]),
  ),
  writer(splitOp, (site, { parts }) => Array.from({ length: parts }, () => site.x)),
  writer(tileOp, (site, { axis, tiles }) => {
    const repeats = site.shape(0).map((_, i) => (i === axis ? tiles : 1));
    return site.last('Tile', [site.x, site.wholes(repeats)]);
  }),
  writer(flattenOp, (site, { axis, endAxis }) => {
    const x = site.shape(0);
    if (axis === 1 && endAxis === x.length - 1) return site.last('Flatten', [site.x], [int('axis', 1)]);
    return reshape(site, [...x.slice(0, axis).map(() => 0), -1, ...x.slice(endAxis + 1)]);
  }),
  writer(reshapeOp, (site, { dims, axis, numAxes }) => {
    const x = site.shape(0);
    return reshape(site, [...x.slice(0, axis).map(() => 0), ...(dims as Shape), ...x.slice(axis + numAxes)]);
  }),
  writer(cropOp, (site, { axis, offsets }) => {
    const reference = site.shape(1);
    const axes = reference.map((_, i) => i).filter((i) => i >= Math.max(axis, 1));
    if (axis === 0 && (offsets[0] !== 0 || reference[0] !== site.shape(0)[0]))
      throw new GraphError('a part of the batch is not exported');
    const [starts, ends] = [axes.map((i) => offsets[i]!), axes.map((i) => offsets[i]! + reference[i]!)];
    return site.last('Slice', [site.x, ...[starts, ends, axes].map((list) => site.wholes(list))]);
  }),
  writer(reductionOp, (site, { operation, axis, coefficient }) => reduction(site, operation, axis, coefficient)),
  writer(embedOp, (site) => {
    const inputs = rows(site, site.param(1), site.x);
    if (!site.has(2)) return site.last('Gather', inputs);
    return site.last('Add', [site.step('Gather', inputs), site.param(2)]);
  }),
  writer(batchReindexOp, (site) => site.last('Gather', rows(site, site.x, site.in(1)))),
  writer(parameterOp, (site) => site.last('Identity', [site.param(0)])),
  writer(dropoutOp, same),
  writer(stopGradientOp, same),
  writer(silenceOp, () => []),
] as const;
