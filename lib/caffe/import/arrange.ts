import { batchReindexOp } from '../../ops/batch-reindex.js';
import { concatOp } from '../../ops/concat.js';
import { cropOp } from '../../ops/crop.js';
import { flattenOp } from '../../ops/flatten.js';
import { reductionOp } from '../../ops/reduction.js';
import { reshapeOp } from '../../ops/reshape.js';
import { silenceOp } from '../../ops/silence.js';
import { sliceOp } from '../../ops/slice.js';
import { splitOp } from '../../ops/split.js';
import { tileOp } from '../../ops/tile.js';
import {
  CropParameter,
  filled,
  FlattenParameter,
  ReductionParameter,
  ReshapeParameter,
  TileParameter,
} from '../schema.js';
import { writer, type Family } from './family.js';
import type { Site } from './site.js';

/** Concat and Slice have an older name for their axis. */
function axisOf(
  site: Site,
  given: { axis?: number } | undefined,
  old: 'concat_dim' | 'slice_dim',
  value: number | undefined,
): number {
  if (value !== undefined && given?.axis !== undefined) throw site.error(`expected either axis or ${old}, got both`);
  return value ?? given?.axis ?? 1;
}

const REDUCTION = { SUM: 'sum', ASUM: 'asum', SUMSQ: 'sumsq', MEAN: 'mean' } as const;
const REDUCTION_BACK = { sum: 'SUM', asum: 'ASUM', sumsq: 'SUMSQ', mean: 'MEAN' } as const;

/** Layers that join, cut, copy, rename or reduce blobs. */
export const arrangeFamily: Family = {
  readers: {
    Concat(site) {
      const given = site.layer.concat_param;
      return site.add(concatOp, site.takes(1, Infinity), {
        axis: axisOf(site, given, 'concat_dim', given?.concat_dim),
      });
    },
    Slice(site) {
      const given = site.layer.slice_param;
      const parts = site.layer.top.length;
      const points = given?.slice_point ?? [];
      if (points.length > 0 && points.length !== parts - 1)
        throw site.error(`expected ${parts - 1} slice points for ${parts} tops, got ${points.length}`);
      const axis = axisOf(site, given, 'slice_dim', given?.slice_dim);
      return site.add(sliceOp, site.takes(1), points.length > 0 ? { axis, points } : { axis, parts });
    },
    Split: (site) => site.add(splitOp, site.takes(1), { parts: site.layer.top.length }),
    Silence: (site) => site.add(silenceOp, site.takes(1, Infinity), {}),
    Flatten(site) {
      const { axis, end_axis: endAxis } = filled(FlattenParameter, site.layer.flatten_param);
      return site.add(flattenOp, site.takes(1), { axis, endAxis });
    },
    Reshape(site) {
      const { shape, axis, num_axes: numAxes } = filled(ReshapeParameter, site.layer.reshape_param);
      return site.add(reshapeOp, site.takes(1), { dims: shape?.dim ?? [], axis, numAxes });
    },
    Tile(site) {
      const { axis, tiles } = filled(TileParameter, site.layer.tile_param);
      if (tiles === undefined) throw site.error('expected tile_param with tiles');
      return site.add(tileOp, site.takes(1), { axis, tiles });
    },
    Crop(site) {
      const { axis, offset } = filled(CropParameter, site.layer.crop_param);
      return site.add(cropOp, site.takes(2), { axis, ...(offset.length > 0 && { offsets: offset }) });
    },
    Reduction(site) {
      const { operation, axis, coeff } = filled(ReductionParameter, site.layer.reduction_param);
      return site.add(reductionOp, site.takes(1), { operation: REDUCTION[operation], axis, coefficient: coeff });
    },
    BatchReindex: (site) => site.add(batchReindexOp, site.takes(2), {}),
  },
  writers: {
    ...writer(concatOp, (_, { axis }) => ({ type: 'Concat', ...(axis !== 1 && { concat_param: { axis } }) })),
    ...writer(sliceOp, ({ points }, { axis }) => ({
      type: 'Slice',
      slice_param: { axis, slice_point: [...(points ?? [])] },
    })),
    ...writer(splitOp, () => ({ type: 'Split' })),
    ...writer(silenceOp, () => ({ type: 'Silence' })),
    ...writer(flattenOp, ({ axis = 1, endAxis = -1 }) => ({
      type: 'Flatten',
      ...((axis !== 1 || endAxis !== -1) && { flatten_param: { axis, end_axis: endAxis } }),
    })),
    ...writer(reshapeOp, ({ dims, axis = 0, numAxes = -1 }) => ({
      type: 'Reshape',
      reshape_param: {
        shape: { dim: [...dims] },
        ...(axis !== 0 && { axis }),
        ...(numAxes !== -1 && { num_axes: numAxes }),
      },
    })),
    ...writer(tileOp, (_, { axis, tiles }) => ({ type: 'Tile', tile_param: { ...(axis !== 1 && { axis }), tiles } })),
    ...writer(cropOp, ({ axis = 2, offsets = [] }) => ({
      type: 'Crop',
      crop_param: { axis, offset: typeof offsets === 'number' ? [offsets] : [...offsets] },
    })),
    ...writer(reductionOp, ({ operation = 'sum', axis = 0, coefficient = 1 }) => ({
      type: 'Reduction',
      reduction_param: {
        operation: REDUCTION_BACK[operation],
        ...(axis !== 0 && { axis }),
        ...(coefficient !== 1 && { coeff: coefficient }),
      },
    })),
    ...writer(batchReindexOp, () => ({ type: 'BatchReindex' })),
  },
};
