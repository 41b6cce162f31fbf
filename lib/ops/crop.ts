import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { axisOf, check, format } from '../shape.js';

/** What `crop` takes besides values and a name. */
export interface CropOptions {
  /** First axis to crop. Default 2. */
  readonly axis?: number;
  /** Where the crop starts: one number for every axis from `axis` on, or one for each. Default 0. */
  readonly offsets?: number | readonly number[];
}

/** The part of a tensor that has the extents of a reference; the reference's elements do not matter. */
export const cropOp = defineOp({
  name: 'crop',

  attributes({ axis = 2, offsets = 0 }: CropOptions, [x]) {
    const rank = x!.length;
    const first = axisOf(axis, rank, 'axis');
    const given = typeof offsets === 'number' ? [offsets] : offsets;
    check(
      given.length === 1 || given.length === rank - first,
      () => `expected 1 or ${rank - first} offsets from axis ${first} of ${format(x!)}, got ${given.length}`,
    );
    check(
      given.every((o) => Number.isSafeInteger(o) && o >= 0),
      () => `expected offsets of at least 0, got ${given.join(', ')}`,
    );
    return {
      axis: first,
      offsets: x!.map((_, i) => (i < first ? 0 : given.length === 1 ? given[0]! : given[i - first]!)),
    };
  },

  outputs([x, reference], { axis, offsets }) {
    check(
      reference?.length === x!.length,
      () => `expected a reference of ${x!.length} axes, got ${format(reference ?? [])}`,
    );
    const shape = x!.map((extent, i) => (i < axis ? extent : reference[i]!));
    check(
      shape.every((extent, i) => offsets[i]! + extent <= x![i]!),
      () => `expected a crop of ${format(shape)} at offsets ${format(offsets)} to lie within ${format(x!)}`,
    );
    return [{ shape }];
  },

  forward: (e) => e.run('crop', [e.inputs[0]], e.outputs, { offsets: e.attributes.offsets }),

  backward(e) {
    if (!e.wants(0)) return [];
    const dx = e.temp(e.inputs[0]!.shape);
    e.run('crop_grad', [e.dy], [dx], { offsets: e.attributes.offsets });
    return [dx];
  },
});

/** `x` cut to the extents of `reference` in the axes from `axis` on, starting at `offsets`. @throws {ShapeError} when it does not lie within x */
export function crop(x: Value, reference: Value, options: CropOptions & LayerOptions = {}): Value {
  return layer(cropOp, [x, reference], options)[0]!;
}
