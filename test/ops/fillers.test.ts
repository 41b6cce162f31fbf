import assert from 'node:assert/strict';
import {
  bilinear,
  compile,
  constant,
  gaussian,
  graph,
  input,
  msra,
  parameter,
  positiveUnitball,
  Random,
  uniform,
  UsageError,
  xavier,
  type Filler,
  type Shape,
} from '../../lib/index.js';
import { philox } from '../../lib/random.js';
import { assertClose } from '../support/ops.js';

/** The first values of a parameter, drawn by the engine. */
async function fill(
  filler: Filler,
  shape: Shape,
  options: { seed?: number; threads?: number } = {},
): Promise<Float32Array> {
  const net = graph({ x: input([1]) }, (_, builder) => ({ y: parameter(builder, { name: 'p', shape, filler }) }));
  using model = await compile(net, { seed: 7, ...options });
  return (await model.weights())['p.weight']!.data;
}

const sum = (values: Float32Array): number => values.reduce((a, b) => a + b, 0);
const meanOf = (values: Float32Array): number => sum(values) / values.length;
const deviation = (values: Float32Array): number =>
  Math.sqrt(sum(values.map((v) => v * v)) / values.length - meanOf(values) ** 2);

/** Largest distance between the distribution of the values and `cdf` (Kolmogorov and Smirnov), in units of 1 / sqrt(n). */
function distance(values: Float32Array, cdf: (x: number) => number): number {
  const n = values.length;
  const gaps = values.toSorted().map((x, i) => Math.max(Math.abs(cdf(x) - i / n), Math.abs(cdf(x) - (i + 1) / n)));
  return gaps.reduce((a, b) => Math.max(a, b), 0) * Math.sqrt(n);
}

/** Normal distribution function: Abramowitz and Stegun 1964, 26.2.17, good to 1e-7. */
function normalCdf(x: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(x));
  const series = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const tail = (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)) * series;
  return x > 0 ? 1 - tail : tail;
}

/** A distance that a right sample exceeds once in 100,000 draws; the seed is fixed, so a right generator always passes. */
const FAR = 2.47;

describe('random numbers', () => {
  it("agree with Philox's published answers", () => {
    const words = (counter: [number, number, number, number], key: [number, number]) =>
      Array.from(philox(counter, key), (w) => w.toString(16).padStart(8, '0')).join(' ');
    const ones = 0xffffffff;
    assert.equal(words([0, 0, 0, 0], [0, 0]), '6627e8d5 e169c58d bc57ac4c 9b00dbd8');
    assert.equal(words([ones, ones, ones, ones], [ones, ones]), '408f276d 41c83b0e a20bc7c6 6d5451fd');
  });

  it('are the same in the engine and in JavaScript', async () => {
    const random = new Random(2 ** 40 + 5);
    const want = Float32Array.from({ length: 4099 }, () => random.uniform());
    assert.deepEqual(await fill(uniform(0, 1), [4099], { seed: 2 ** 40 + 5 }), want);
    const normal = new Random(7);
    assertClose(
      await fill(gaussian(1), [4099]),
      Float32Array.from({ length: 4099 }, () => normal.normal()),
      'normal',
      1e-6,
    );
  });
});

describe('fillers', () => {
  const n = 30_000;

  it('constant', async () => {
    assert.ok((await fill(constant(2.5), [n])).every((v) => v === 2.5));
  });

  it('uniform', async () => {
    const values = await fill(uniform(-2, 3), [n]);
    assert.ok(values.every((v) => v >= -2 && v <= 3));
    assert.ok(distance(values, (x) => (x + 2) / 5) < FAR);
  });

  it('gaussian', async () => {
    const values = await fill(gaussian(0.5, 2), [n]);
    assert.ok(distance(values, (x) => normalCdf((x - 2) / 0.5)) < FAR);
    assert.ok(Math.abs(deviation(values) - 0.5) < 0.01);
  });

  it('gaussian with few inputs kept for each output', async () => {
    const values = await fill(gaussian(1, 0, 20), [100, 300]);
    const kept = values.filter((v) => v !== 0);
    assert.ok(Math.abs(kept.length / n - 0.2) < 0.01, `kept ${kept.length} of ${n}`);
    assert.ok(distance(kept, normalCdf) < FAR);
  });

  it('xavier', async () => {
    const limit = Math.sqrt(3 / 300);
    const values = await fill(xavier(), [100, 300]);
    assert.ok(distance(values, (x) => (x + limit) / (2 * limit)) < FAR);
    const out = await fill(xavier('fan_out'), [100, 300]);
    assert.ok(Math.abs(Math.max(...out) - Math.sqrt(3 / 100)) < 1e-3);
    const average = await fill(xavier('average'), [100, 300]);
    assert.ok(Math.abs(Math.max(...average) - Math.sqrt(3 / 200)) < 1e-3);
  });

  it('msra', async () => {
    const values = await fill(msra(), [100, 300]);
    assert.ok(distance(values, (x) => normalCdf(x / Math.sqrt(2 / 300))) < FAR);
  });

  it('positive_unitball', async () => {
    const values = await fill(positiveUnitball(), [100, 300]);
    assert.ok(values.every((v) => v > 0));
    for (let row = 0; row < 100; row++)
      assert.ok(Math.abs(sum(values.subarray(row * 300, (row + 1) * 300)) - 1) < 1e-5);
  });

  it('bilinear', async () => {
    const tent4 = [0.25, 0.75, 0.75, 0.25];
    const four = await fill(bilinear(), [2, 1, 4, 4]);
    assert.deepEqual(Array.from(four), [
      ...tent4.flatMap((a) => tent4.map((b) => a * b)),
      ...tent4.flatMap((a) => tent4.map((b) => a * b)),
    ]);
    const three = await fill(bilinear(), [1, 1, 3, 3]);
    assert.deepEqual(Array.from(three), [0.25, 0.5, 0.25, 0.5, 1, 0.5, 0.25, 0.5, 0.25]);
  });

  it('give the same bits whatever the number of threads, and others for another seed', async () => {
    for (const filler of [uniform(), gaussian(1), gaussian(1, 0, 3), positiveUnitball(), xavier(), msra()]) {
      const one = await fill(filler, [7, 9001], { threads: 1 });
      assert.deepEqual(await fill(filler, [7, 9001], { threads: 2 }), one);
      assert.notDeepEqual(await fill(filler, [7, 9001], { seed: 8 }), one);
    }
  });

  it('draw every parameter from a stream of its own', async () => {
    const net = graph({ x: input([1]) }, (_, builder) => ({
      a: parameter(builder, { name: 'a', shape: [100], filler: uniform() }),
      b: parameter(builder, { name: 'b', shape: [100], filler: uniform() }),
    }));
    using model = await compile(net);
    const weights = await model.weights();
    assert.notDeepEqual(weights['a.weight']!.data, weights['b.weight']!.data);
  });

  it('refuse what makes no sense', async () => {
    await assert.rejects(fill(uniform(1, 0), [2]), { name: UsageError.name, message: /min <= max, got 1 and 0/ });
    await assert.rejects(fill(bilinear(), [1, 1, 2, 3]), {
      name: UsageError.name,
      message: /square 4-axis filter, got \(1, 1, 2, 3\)/,
    });
  });
});
