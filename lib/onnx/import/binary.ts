import { Value } from '../../graph.js';
import { powerOp } from '../../ops/activations.js';
import { biasOp } from '../../ops/bias.js';
import { eltwiseOp, type EltwiseOptions } from '../../ops/eltwise.js';
import { reshapeOp } from '../../ops/reshape.js';
import { scaleOp } from '../../ops/scale.js';
import { count, format, same, type Shape } from '../../shape.js';
import type { Constant } from './items.js';
import type { Reader, Site } from './site.js';

/** Axes of x that a smaller tensor lies along when both are aligned at their last axes, as NumPy does it. */
function axesAlong(site: Site, x: Shape, other: Shape): { readonly axis: number; readonly extents: Shape } {
  const padded = [...Array.from({ length: Math.max(0, x.length - other.length) }, () => 1), ...other];
  const given = padded.flatMap((extent, i) => (extent === 1 ? [] : [i]));
  const [axis = 0] = given;
  const extents = padded.slice(axis, (given.at(-1) ?? axis - 1) + 1);
  const fits = padded.length === x.length && extents.every((extent, i) => extent === x[axis + i]);
  if (fits) return { axis, extents };
  throw site.error(`cannot repeat ${format(other)} over ${format(x)}: it must have the extents of neighbouring axes`);
}

const negative = (value: number): number => -value;
const inverse = (value: number): number => 1 / value;

/** x ∘ c for a constant c. */
function withConstant(site: Site, kind: 'add' | 'mul', x: Value, c: Constant, map?: (value: number) => number): Value {
  const one = count(c.shape) === 1;
  if (one && c.shape.length <= x.shape.length) {
    const [value = 0] = c.numbers().map((number) => (map ? map(number) : number));
    return site.add(powerOp, [x], kind === 'add' ? { shift: value } : { scale: value });
  }
  const { axis, extents } = axesAlong(site, x.shape, c.shape);
  if (axis === 0 && x.shape.length > 1)
    throw site.error(`a constant ${format(c.shape)} along the batch is not supported`);
  const options = { axis, numAxes: extents.length };
  if (kind === 'add') return site.add(biasOp, [x], options, { bias: site.weight(c, extents, map) });
  return site.add(scaleOp, [x], options, { weight: site.weight(c, extents, map) });
}

/** a ∘ b where both are computed: of one shape, or one repeated over the other. */
function withValue(site: Site, kind: 'add' | 'mul', a: Value, b: Value): Value {
  if (same(a.shape, b.shape)) return site.add(eltwiseOp, [a, b], { operation: kind === 'add' ? 'sum' : 'prod' });
  const [x, other] = count(a.shape) >= count(b.shape) ? [a, b] : [b, a];
  const { axis, extents } = axesAlong(site, x.shape, other.shape);
  if (axis !== 0 && x.shape[0] !== 1) throw site.error(`cannot repeat ${format(other.shape)} over ${format(x.shape)}`);
  // The extents of 1 behind them go; the batch stays.
  const lead = axis === 0 ? extents : [...x.shape.slice(0, axis).map(() => 1), ...extents];
  const own = same(lead, other.shape)
    ? other
    : site.add(reshapeOp, [other], { dims: [0, ...lead.slice(1)] }, {}, '.along');
  return kind === 'add' ? site.add(biasOp, [x, own], { axis: 0 }) : site.add(scaleOp, [x, own], { axis: 0 });
}

function arithmetic(kind: 'add' | 'mul', inverted: boolean): Reader {
  const [map, undo] = kind === 'add' ? [negative, { scale: -1 }] : [inverse, { power: -1 }];
  return (site) => {
    const [a, b] = site.inputs;
    const turned = (x: Value): Value => site.add(powerOp, [x], undo, {}, '.turned');
    if (a instanceof Value && b instanceof Value) {
      if (inverted && kind === 'add' && same(a.shape, b.shape))
        return [site.add(eltwiseOp, [a, b], { coefficients: [1, -1] })];
      return [withValue(site, kind, a, inverted ? turned(b) : b)];
    }
    if (a instanceof Value) return [withConstant(site, kind, a, site.constant(1), inverted ? map : undefined)];
    const x = site.value(1);
    return [withConstant(site, kind, inverted ? turned(x) : x, site.constant(0))];
  };
}

function pow(site: Site): readonly Value[] {
  const [power, ...others] = site.numbers(1);
  if (power === undefined || others.length > 0) throw site.error('expected one constant exponent');
  return [site.add(powerOp, [site.x], { power })];
}

/** Any number of inputs of one shape. */
const several =
  (options: (inputs: number) => EltwiseOptions): Reader =>
  (site) => {
    const values = site.inputs.map((_, i) => site.value(i));
    return [site.add(eltwiseOp, values, options(values.length))];
  };

/** Arithmetic of tensors and constants. */
export const binaryReaders: Readonly<Record<string, Reader>> = {
  Add: arithmetic('add', false),
  Sub: arithmetic('add', true),
  Mul: arithmetic('mul', false),
  Div: arithmetic('mul', true),
  Pow: pow,
  Sum: several(() => ({})),
  Mean: several((inputs) => ({ coefficients: Array.from({ length: inputs }, () => 1 / inputs) })),
  Max: several(() => ({ operation: 'max' })),
};
