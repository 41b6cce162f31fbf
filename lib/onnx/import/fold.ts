import { Value } from '../../graph.js';
import { count, same, type Shape } from '../../shape.js';
import { ELEMENT_BYTES, fromTensor, type RawTensor } from '../../formats/elements.js';
import { gather, rowMajor } from '../../formats/strided.js';
import { Constant, Extents, type Extent, type Item } from './items.js';
import type { Site } from './site.js';

/**
 * What a node gives whose inputs are all known while the net is built: shapes and what is computed of them, in terms of the
 * batch, and constants under other shapes. Undefined where it is not that simple.
 */
export function fold(site: Site): readonly Item[] | undefined {
  const { op_type: type = '' } = site.node;
  if (type === 'Constant') return [constantOf(site)];
  if (type === 'Shape') return [shapeOf(site)];
  if (site.inputs.length === 0 || site.inputs.some((item) => item instanceof Value)) return undefined;
  const [first] = site.inputs;
  if (['Identity', 'Cast', 'CastLike'].includes(type)) return [first!];
  const numbers = site.inputs.map(extentsOf);
  const folded = Object.hasOwn(WHOLE, type) && numbers[0] ? WHOLE[type]!(site, numbers) : undefined;
  if (folded) return [folded];
  if (first instanceof Constant && Object.hasOwn(MOVES, type)) return [MOVES[type]!(site, first)];
  const all = site.inputs.filter((item) => item instanceof Constant);
  if (all.length !== site.inputs.length || !Object.hasOwn(FLOATS, type)) return undefined;
  return [elementwise(site, all, FLOATS[type]!)];
}

const fixed = (value: number): Extent => ({ fixed: value, batches: 0 });

/** Whole numbers of at most one axis. */
export function extentsOf(item: Item | undefined): Extents | undefined {
  if (item instanceof Extents) return item;
  if (!(item instanceof Constant) || !item.known || item.shape.length > 1) return undefined;
  if (!/^u?int/.test(item.dtype)) return undefined;
  return new Extents(item.numbers().map(fixed), item.shape.length === 0);
}

function constantOf(site: Site): Item {
  const [one, whole] = [site.int('value_int', NaN), site.ints('value_ints')];
  if (whole) return new Extents(whole.map(fixed));
  if (!Number.isNaN(one)) return new Extents([fixed(one)], true);
  const tensor = site.tensor('value');
  if (tensor) return extentsOf(tensor) ?? tensor;
  const list = site.floats('value_floats') ?? [];
  const float = site.float('value_float', NaN);
  if (list.length === 0 && Number.isNaN(float)) throw site.error('expected a value of numbers');
  const [data, shape] = list.length > 0 ? [list, [list.length]] : [[float], []];
  return Constant.of(site.node.output[0] ?? '', fromTensor({ data: Float32Array.from(data), shape }));
}

/** What is computed of the inputs has the batch in front. */
function shapeOf(site: Site): Extents {
  const item = site.inputs[0];
  if (!item) throw site.error('expected an input');
  const { batch } = site.builder;
  const grows = item instanceof Value && item.shape.length > 0 && item.shape[0]! % batch === 0;
  const all = item.shape.map((extent, i) => (i === 0 && grows ? { fixed: 0, batches: extent / batch } : fixed(extent)));
  return new Extents(all.slice(site.int('start', 0), site.int('end', all.length)));
}

type Whole = (site: Site, inputs: readonly (Extents | undefined)[]) => Extents | undefined;

const plus = (a: Extent, b: Extent): Extent => ({ fixed: a.fixed + b.fixed, batches: a.batches + b.batches });
const minus = (a: Extent, b: Extent): Extent => ({ fixed: a.fixed - b.fixed, batches: a.batches - b.batches });

function times(a: Extent, b: Extent): Extent | undefined {
  if (a.batches !== 0 && b.batches !== 0) return undefined;
  return { fixed: a.fixed * b.fixed, batches: a.fixed * b.batches + a.batches * b.fixed };
}

/** Whole quotients: of numbers, of multiples of the batch by a number, and by the batch. */
function over(a: Extent, b: Extent): Extent | undefined {
  if (b.batches === 0 && a.batches % b.fixed === 0) {
    const exact = a.batches === 0 || a.fixed % b.fixed === 0;
    return exact ? { fixed: Math.trunc(a.fixed / b.fixed), batches: a.batches / b.fixed } : undefined;
  }
  const multiple = b.fixed === 0 && a.fixed === 0 && a.batches % b.batches === 0;
  return multiple ? fixed(a.batches / b.batches) : undefined;
}

const pairwise =
  (compute: (a: Extent, b: Extent) => Extent | undefined): Whole =>
  (_, [a, b]) => {
    if (!a || !b) return undefined;
    const size = Math.max(a.items.length, b.items.length);
    const pick = ({ items }: Extents, i: number): Extent => items[items.length === 1 ? 0 : i]!;
    if ([a, b].some(({ items }) => items.length !== 1 && items.length !== size)) return undefined;
    const made = Array.from({ length: size }, (_each, i) => compute(pick(a, i), pick(b, i)));
    return made.every((each) => each !== undefined) ? new Extents(made, a.scalar && b.scalar) : undefined;
  };

const WHOLE: Readonly<Record<string, Whole>> = {
  Add: pairwise(plus),
  Sub: pairwise(minus),
  Mul: pairwise(times),
  Div: pairwise(over),
  Floor: (_, [a]) => a,
  Ceil: (_, [a]) => a,
  Reshape: (_, [a, shape]) => a && new Extents(a.items, shape?.items.length === 0),
  Squeeze: (_, [a]) => a && new Extents(a.items, a.items.length === 1),
  Unsqueeze: (_, [a]) => (a?.scalar ? new Extents(a.items) : undefined),
  Concat: (_, all) => (all.every((each) => each !== undefined) ? new Extents(all.flatMap((e) => e.items)) : undefined),
  Gather(site, [a, indices]) {
    if (!a || !indices) return undefined;
    const items = indices.items.map((index) => a.items.at(index.fixed));
    if (items.some((item) => item === undefined)) throw site.error(`expected places among ${a.items.length} extents`);
    return new Extents(items as Extent[], indices.scalar);
  },
  Slice(site, [a]) {
    const [start] = site.setting('starts', 1) ?? [0];
    const [end] = site.setting('ends', 2) ?? [Infinity];
    if ((site.setting('steps', 4) ?? [1])[0] !== 1) return undefined;
    return a && new Extents(a.items.slice(start, end));
  },
  ReduceProd(site, [a]) {
    const product = a?.items.reduce<Extent | undefined>((b, c) => b && times(b, c), fixed(1));
    return product && new Extents([product], site.int('keepdims', 1) === 0);
  },
  ConstantOfShape(site, [shape]) {
    const [value = 0] = site.tensor('value')?.numbers() ?? [];
    const [length, ...others] = shape?.items ?? [];
    if (!length || others.length > 0 || length.batches !== 0 || length.fixed > 64) return undefined;
    return new Extents(Array.from({ length: length.fixed }, () => fixed(value)));
  },
};

function reshaped(constant: Constant, shape: Shape): Constant {
  const info = { dtype: constant.dtype, shape };
  return constant.derive(info, ({ bytes }) => ({ ...info, bytes }));
}

/** Changes of shape and order that leave the elements as they are. */
const MOVES: Readonly<Record<string, (site: Site, constant: Constant) => Constant>> = {
  Reshape(site, constant) {
    const dims = site.numbers(1).map((d, i) => (d === 0 ? constant.shape[i]! : d));
    const known = dims.filter((d) => d >= 0).reduce((a, b) => a * b, 1);
    return reshaped(
      constant,
      dims.map((d) => (d < 0 ? count(constant.shape) / known : d)),
    );
  },
  Flatten(site, constant) {
    const axis = site.int('axis', 1);
    return reshaped(constant, [count(constant.shape, 0, axis), count(constant.shape, axis)]);
  },
  Squeeze(site, constant) {
    const axes = site.setting('axes', 1)?.map((axis) => site.axis(axis, constant.shape.length));
    return reshaped(
      constant,
      constant.shape.filter((extent, i) => (axes ? !axes.includes(i) : extent !== 1)),
    );
  },
  Unsqueeze(site, constant) {
    const given = site.setting('axes', 1) ?? [];
    const rank = constant.shape.length + given.length;
    const axes = given.map((axis) => site.axis(axis, rank));
    const rest = [...constant.shape];
    return reshaped(
      constant,
      Array.from({ length: rank }, (_, i) => (axes.includes(i) ? 1 : rest.shift()!)),
    );
  },
  Transpose(site, constant) {
    const order = site.ints('perm') ?? constant.shape.map((_, i) => constant.shape.length - 1 - i);
    const strides = rowMajor(constant.shape);
    const shape = order.map((axis) => constant.shape[axis]!);
    const layout = { shape, strides: order.map((axis) => strides[axis]!), offset: 0 };
    const info = { dtype: constant.dtype, shape };
    const move = ({ bytes }: RawTensor): RawTensor => ({
      ...info,
      bytes: gather(bytes, ELEMENT_BYTES[constant.dtype], layout),
    });
    return constant.derive(info, move);
  },
};

/** Arithmetic of small constants. */
const FLOATS: Readonly<Record<string, (a: number, b: number) => number>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
  Pow: (a, b) => a ** b,
  Neg: (a) => -a,
  Sqrt: (a) => Math.sqrt(a),
  Reciprocal: (a) => 1 / a,
  Exp: (a) => Math.exp(a),
  Log: (a) => Math.log(a),
};

function elementwise(site: Site, [a, b = a]: readonly Constant[], compute: (a: number, b: number) => number): Constant {
  const [x, y] = [a!.numbers(), b!.numbers()];
  const { shape } = x.length >= y.length ? a! : b!;
  if (!same(a!.shape, b!.shape) && Math.min(x.length, y.length) !== 1)
    throw site.error('constants of different shapes are not combined');
  const data = Float32Array.from({ length: Math.max(x.length, y.length) }, (_, i) =>
    compute(x[x.length === 1 ? 0 : i]!, y[y.length === 1 ? 0 : i]!),
  );
  return Constant.of(site.node.output[0] ?? '', fromTensor({ data, shape }));
}
