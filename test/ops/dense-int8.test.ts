/** Dense layers with weights of 8 bits, for few rows. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { compile, dense, graph, input, Random, sgd, softmaxLoss, type Graph, type Tensor } from '../../lib/index.js';
import { assertClose, forAll, random, seeds } from '../support/ops.js';

interface Case {
  readonly rows: number;
  readonly inputs: number;
  readonly units: number;
  readonly seed: number;
}

const whole = (min: number, max: number) => fc.integer({ min, max });
const cases: fc.Arbitrary<Case> = fc.record({
  rows: whole(1, 4),
  inputs: fc.oneof(whole(1, 200), whole(9000, 9300)),
  units: whole(1, 40),
  seed: seeds,
});

const netOf = ({ inputs, units }: Case): Graph<'x', 'y'> =>
  graph({ x: input([inputs]) }, ({ x }) => ({ y: dense(x, { name: 'fc', units }) }));

async function run(one: Case, x: Tensor, weight: Tensor, bias: Tensor, threads = 2): Promise<Float32Array> {
  const model = await compile(netOf(one), { batch: one.rows, precision: 'int8', threads });
  try {
    await model.load({ 'fc.weight': weight, 'fc.bias': bias });
    return (await model.forward({ x })).y.data;
  } finally {
    model.dispose();
  }
}

/** Weights near whole multiples of a step that each unit has of its own, 127 of which are its largest; and those multiples. */
function nearSteps({ inputs, units, seed }: Case): { weight: Tensor; multiples: Float64Array } {
  const random = new Random(seed);
  const multiples = new Float64Array(units * inputs);
  const data = multiples.map((_, i) => {
    const step = 2 ** -Math.floor((5 * Math.floor(i / inputs)) / units);
    const whole = i % inputs === 0 ? 127 : random.below(255) - 127;
    multiples[i] = whole * step;
    return (whole + (Math.abs(whole) < 127 ? random.uniform(-0.4, 0.4) : 0)) * step;
  });
  return { weight: { data: Float32Array.from(data), shape: [units, inputs] }, multiples };
}

function products({ rows, inputs, units }: Case, x: Tensor, weight: ArrayLike<number>, bias: Tensor): Float64Array {
  return Float64Array.from({ length: rows * units }, (_, at) => {
    const [row, unit] = [Math.floor(at / units), at % units];
    let sum = bias.data[unit]!;
    for (let i = 0; i < inputs; i++) sum += x.data[row * inputs + i]! * weight[unit * inputs + i]!;
    return sum;
  });
}

describe('dense with int8', () => {
  it('multiplies few rows with weights in 127 steps, each unit in its own', () =>
    forAll(cases, async (one) => {
      const x = random([one.rows, one.inputs], one.seed);
      const { weight, multiples } = nearSteps(one);
      const bias = random([one.units], one.seed + 3);
      const want = products(one, x, multiples, bias);
      // Inputs keep 16 bits.
      assertClose(await run(one, x, weight, bias), want, 'y', 1e-4, 127 * Math.sqrt(one.inputs));
    }));

  it('leaves sums of the largest numbers exact', async () => {
    const one: Case = { rows: 2, inputs: 20_000, units: 5, seed: 0 };
    const ones = (shape: readonly number[], value: number): Tensor => ({
      data: new Float32Array(shape.reduce((a, b) => a * b)).fill(value),
      shape,
    });
    const got = await run(one, ones([2, 20_000], -3), ones([5, 20_000], 2), ones([5], 1));
    assertClose(got, new Float64Array(10).fill(1 - 120_000), 'y', 1e-6);
  });

  it('takes zeros for zeros, and lets a NaN be one', async () => {
    const one: Case = { rows: 1, inputs: 70, units: 6, seed: 0 };
    const bias = random([6], 3);
    const weight = random([6, 70], 1);
    weight.data.fill(0, 70, 140);
    const zeros = random([1, 70], 1, { min: 0, max: 0 });
    assert.deepEqual(await run(one, zeros, weight, bias), bias.data);
    assert.equal((await run(one, random([1, 70], 2), weight, bias))[1], bias.data[1]);
    weight.data[5] = NaN;
    const y = await run(one, random([1, 70], 2), weight, bias);
    assert.ok(Number.isNaN(y[0]) && !Number.isNaN(y[2]));
    assert.ok((await run(one, random([1, 70], 2, { min: NaN, max: NaN }), weight, bias)).every(Number.isNaN));
  });

  it('gives the same bits on any number of threads', async () => {
    const one: Case = { rows: 3, inputs: 777, units: 41, seed: 0 };
    const [x, weight, bias] = [random([3, 777], 1), random([41, 777], 2), random([41], 3)];
    const single = await run(one, x, weight, bias, 1);
    for (const threads of [2, 3]) assert.deepEqual(await run(one, x, weight, bias, threads), single);
  });

  it('is refused for training, by name', async () => {
    const net = graph({ x: input([4]), label: input([]) }, ({ x, label }) => ({
      loss: softmaxLoss(dense(x, { units: 3 }), label),
    }));
    await assert.rejects(compile(net, { precision: 'int8', solver: sgd({ rate: 1 }) }), /for training, got int8/);
  });
});
