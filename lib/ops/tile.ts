import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { axisOf, check } from '../shape.js';

/** What `tile` takes besides values and a name. */
export interface TileOptions {
  /** Number of copies. */
  readonly tiles: number;
  /** Default 1. */
  readonly axis?: number;
}

/** Copies of a tensor one behind another along an axis. */
export const tileOp = defineOp({
  name: 'tile',
  attributes({ tiles, axis = 1 }: TileOptions, [x]) {
    check(
      Number.isSafeInteger(tiles) && tiles > 0,
      () => `expected tiles to be a whole number of at least 1, got ${tiles}`,
    );
    return { axis: axisOf(axis, x!.length, 'axis'), tiles };
  },
  outputs: ([x], { axis, tiles }) => [{ shape: x!.with(axis, x![axis]! * tiles) }],
  backward(e) {
    const dx = e.temp(e.inputs[0]!.shape);
    e.run('tile_grad', [e.dy], [dx]);
    return [dx];
  },
});

/** `tiles` copies of `x` along `axis`. @throws {ShapeError} */
export function tile(x: Value, options: TileOptions & LayerOptions): Value {
  return layer(tileOp, [x], options)[0]!;
}
