/** Dense layers in bfloat16: factors rounded, sums in float32, forward and backward. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { compile, dense, graph, input, sgd, softmaxLoss, type Tensor } from '../../lib/index.js';
import { toBf16 } from '../support/bf16.js';
import { assertClose, forAll, random, seeds } from '../support/ops.js';

interface Case {
  readonly rows: number;
  readonly inputs: number;
  readonly units: number;
  readonly seed: number;
}

const whole = (min: number, max: number) => fc.integer({ min, max });

/** Edges of tiles, vectors, pairs and slices of the depth. */
const cases: fc.Arbitrary<Case> = fc.oneof(
  fc.record({ rows: whole(1, 70), inputs: whole(1, 70), units: whole(1, 70), seed: seeds }),
  fc.record({ rows: whole(1, 9), inputs: whole(1020, 1060), units: whole(250, 270), seed: seeds }),
  fc.record({ rows: whole(190, 200), inputs: whole(1, 20), units: whole(500, 530), seed: seeds }),
);

const netOf = ({ inputs, units }: Case) =>
  graph({ x: input([inputs]) }, ({ x }) => ({ y: dense(x, { name: 'fc', units }) }));

const tensorsOf = ({ rows, inputs, units, seed }: Case) => ({
  x: random([rows, inputs], seed),
  weight: random([units, inputs], seed + 1),
  bias: random([units], seed + 2),
  dy: random([rows, units], seed + 3),
});
type Tensors = ReturnType<typeof tensorsOf>;

/** y, dx, dweight and dbias. */
async function run(one: Case, { x, weight, bias, dy }: Tensors, threads = 2): Promise<readonly Tensor[]> {
  const net = netOf(one);
  const model = await compile(net, { batch: one.rows, precision: 'bfloat16', threads });
  try {
    await model.load({ 'fc.weight': weight, 'fc.bias': bias });
    const of = ['x', 'fc.weight', 'fc.bias'];
    const { y } = await model.forward({ x });
    const { gradients } = await model.backward({ x }, { of, from: { [net.outputs.y.name]: dy } });
    return [y, ...of.map((name) => gradients[name]!)];
  } finally {
    model.dispose();
  }
}

/** A factor: element (i, k) is data[i * row + k * column]. */
interface Factor {
  readonly data: Float64Array;
  readonly row: number;
  readonly column: number;
}

/** sum over k < depth of a(i, k) b(k, j), and of its terms' magnitudes, in double precision. */
function product([rows, columns, depth]: readonly [number, number, number], a: Factor, b: Factor) {
  const [sums, sizes] = [new Float64Array(rows * columns), new Float64Array(rows * columns)];
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      let [sum, size] = [0, 0];
      for (let k = 0; k < depth; k++) {
        const term = a.data[i * a.row + k * a.column]! * b.data[k * b.row + j * b.column]!;
        sum += term;
        size += Math.abs(term);
      }
      sums[i * columns + j] = sum;
      sizes[i * columns + j] = size;
    }
  return { sums, sizes };
}

/** y without its bias, dx and dweight of factors that went through `round`. */
function products({ rows, inputs, units }: Case, { x, weight, dy }: Tensors, round: (v: number) => number) {
  const factor = ({ data }: Tensor, row: number, column: number): Factor => ({
    data: Float64Array.from(data, round),
    row,
    column,
  });
  return [
    product([rows, units, inputs], factor(x, inputs, 1), factor(weight, 1, inputs)),
    product([rows, inputs, units], factor(dy, units, 1), factor(weight, inputs, 1)),
    product([units, inputs, rows], factor(dy, 1, units), factor(x, inputs, 1)),
  ];
}

describe('dense in bfloat16', () => {
  it('gives the sums of rounded factors to the rounding of float32, forward and backward', () =>
    forAll(cases, async (one) => {
      const tensors = tensorsOf(one);
      const [y, dx, dweight, dbias] = await run(one, tensors);
      const [many, back, outer] = products(one, tensors, toBf16);
      // Few rows are not rounded: only their weights are.
      const weight = { ...tensors.weight, data: tensors.weight.data.map(toBf16) };
      const forward = one.rows > 4 ? many : products(one, { ...tensors, weight }, (v) => v)[0];
      assertClose(
        y!.data,
        forward!.sums.map((v, i) => v + tensors.bias.data[i % one.units]!),
        'y',
      );
      assertClose(dx!.data, back!.sums, 'dx');
      assertClose(dweight!.data, outer!.sums, 'dweight');
      const sums = new Float64Array(one.units);
      tensors.dy.data.forEach((v, i) => (sums[i % one.units]! += v));
      assertClose(dbias!.data, sums, 'dbias');
    }));

  it('is off by 2^-7 of the sum of magnitudes at most', () =>
    forAll(cases, async (one) => {
      const tensors = tensorsOf(one);
      const got = await run(one, { ...tensors, bias: random([one.units], 0, { min: 0, max: 0 }) });
      products(one, tensors, (v) => v).forEach(({ sums, sizes }, at) => {
        // Two factors, each off by half a unit in the last of 8 bits, and what float32 adds.
        const bound = 2 * 2 ** -8 + 2 ** -16 + 1e-5;
        sums.forEach((sum, i) => assert.ok(Math.abs(got[at]!.data[i]! - sum) <= bound * sizes[i]! + 1e-6));
      });
    }));

  it('follows the weights when they change', async () => {
    const one: Case = { rows: 9, inputs: 33, units: 21, seed: 5 };
    const tensors = tensorsOf(one);
    const model = await compile(netOf(one), { batch: one.rows, precision: 'bfloat16' });
    try {
      for (const seed of [1, 8]) {
        const now = { ...tensors, weight: random([one.units, one.inputs], seed) };
        await model.load({ 'fc.weight': now.weight, 'fc.bias': random([one.units], 0, { min: 0, max: 0 }) });
        const { y } = await model.forward({ x: now.x });
        assertClose(y.data, products(one, now, toBf16)[0]!.sums, `weights ${seed}`);
      }
    } finally {
      model.dispose();
    }
  });

  it('keeps a NaN', async () => {
    for (const rows of [1, 9]) {
      const one: Case = { rows, inputs: 37, units: 11, seed: 1 };
      const tensors = tensorsOf(one);
      new Uint32Array(tensors.weight.data.buffer)[one.inputs] = 0x7f800001;
      const [y, dx] = await run(one, tensors);
      assert.ok(Number.isNaN(y!.data[1]) && !Number.isNaN(y!.data[0]));
      assert.ok(Number.isNaN(dx!.data[0]) && !Number.isNaN(dx!.data[1]));
    }
  });

  it('gives the same bits twice, and on one thread', async () => {
    const one: Case = { rows: 64, inputs: 1030, units: 515, seed: 3 };
    const tensors = tensorsOf(one);
    const [once, twice, single] = [await run(one, tensors), await run(one, tensors), await run(one, tensors, 1)];
    once.forEach((tensor, i) => {
      assert.deepEqual(twice[i]!.data, tensor.data);
      if (i < 3) assert.deepEqual(single[i]!.data, tensor.data);
    });
  });

  it('trains: the loss falls as it does in float32', async () => {
    const net = graph({ x: input([40]), label: input([]) }, ({ x, label }) => ({
      loss: softmaxLoss(dense(x, { name: 'fc', units: 10 }), label),
    }));
    const x = random([32, 40], 1);
    const label = Float32Array.from({ length: 32 }, (_, i) => i % 10);
    const losses = async (precision: 'float32' | 'bfloat16'): Promise<number> => {
      const model = await compile(net, { batch: 32, precision, solver: sgd({ rate: 0.5, momentum: 0.9 }) });
      try {
        let last = 0;
        for (let i = 0; i < 40; i++) last = (await model.step({ x, label })).loss;
        return last;
      } finally {
        model.dispose();
      }
    };
    const [half, full] = [await losses('bfloat16'), await losses('float32')];
    assert.ok(full < 0.5 && Math.abs(half - full) < 0.05 * full, `${half} and ${full}`);
  });
});
