/** Weights of dense layers stored as bfloat16. */
import assert from 'node:assert/strict';
import { compile, dense, graph, input, type Graph, type Tensor } from '../../lib/index.js';
import { assertClose, random } from '../support/ops.js';

const INPUTS = 259;
const UNITS = 37;
const net: Graph<'x', 'y'> = graph({ x: input([INPUTS]) }, ({ x }) => ({ y: dense(x, { name: 'fc', units: UNITS }) }));

/** The nearest number whose lower half is zero; ties to even. */
function rounded(x: number): number {
  const bits = new Uint32Array(Float32Array.of(x).buffer);
  bits[0] = ((bits[0]! + 0x7fff + ((bits[0]! >>> 16) & 1)) & 0xffff0000) >>> 0;
  return new Float32Array(bits.buffer)[0]!;
}

async function run(batch: number, weight: Tensor, x: Tensor): Promise<Float32Array> {
  const model = await compile(net, { batch, precision: 'bfloat16' });
  try {
    await model.load({ 'fc.weight': weight, 'fc.bias': random([UNITS], 3) });
    return (await model.forward({ x })).y.data;
  } finally {
    model.dispose();
  }
}

function products(x: Tensor, weight: ArrayLike<number>): Float64Array {
  const bias = random([UNITS], 3).data;
  return Float64Array.from({ length: (x.data.length / INPUTS) * UNITS }, (_, at) => {
    const [row, unit] = [Math.floor(at / UNITS), at % UNITS];
    let sum = bias[unit]!;
    for (let i = 0; i < INPUTS; i++) sum += x.data[row * INPUTS + i]! * weight[unit * INPUTS + i]!;
    return sum;
  });
}

describe('dense with bfloat16', () => {
  const weight = random([UNITS, INPUTS], 1);

  for (const batch of [1, 2, 3, 4]) {
    it(`multiplies ${batch} rows with the rounded weights in float32`, async () => {
      const x = random([batch, INPUTS], 2);
      assertClose(await run(batch, weight, x), products(x, Array.from(weight.data, rounded)), 'y');
    });
  }

  it('leaves larger batches in float32', async () => {
    const x = random([5, INPUTS], 2);
    assertClose(await run(5, weight, x), products(x, weight.data), 'y');
  });

  it('follows the weights when they change', async () => {
    const model = await compile(net, { precision: 'bfloat16' });
    try {
      const x = random([1, INPUTS], 2);
      for (const seed of [1, 8]) {
        const now = random([UNITS, INPUTS], seed);
        await model.load({ 'fc.weight': now, 'fc.bias': random([UNITS], 3) });
        const { y } = await model.forward({ x });
        assertClose(y.data, products(x, Array.from(now.data, rounded)), `weights ${seed}`);
      }
    } finally {
      model.dispose();
    }
  });

  it('keeps a NaN one', async () => {
    const broken = random([UNITS, INPUTS], 1);
    new Uint32Array(broken.data.buffer)[INPUTS] = 0x7f800001;
    const y = await run(1, broken, random([1, INPUTS], 2));
    assert.ok(Number.isNaN(y[1]) && !Number.isNaN(y[0]));
  });
});
