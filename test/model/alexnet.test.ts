/** AlexNet at full size, forward and backward on 64 images, against plain loops in double precision. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { alexnet, compile, Random, type BackwardResult, type Tensor } from '../../lib/index.js';
import { info } from '../../lib/native.js';
import { magnitude } from '../support/compare.js';
import { labels, noise } from '../support/nets.js';
import * as reference from '../support/reference.js';
import type { At, Conv } from '../support/reference.js';
import { sanitized } from '../support/sanitizer.js';

const BATCH = 64;
const SAMPLES = 24;
/** One model, its results with every blob and gradient, and room for the collector. */
const NEEDED = 6e9;

const CONVS: readonly { readonly name: string; readonly from: string; readonly geometry: Conv }[] = [
  { name: 'conv1', from: 'data', geometry: { stride: 4, pad: 0, groups: 1 } },
  { name: 'conv2', from: 'pool1', geometry: { stride: 1, pad: 2, groups: 2 } },
  { name: 'conv3', from: 'pool2', geometry: { stride: 1, pad: 1, groups: 1 } },
  { name: 'conv4', from: 'relu3', geometry: { stride: 1, pad: 1, groups: 2 } },
  { name: 'conv5', from: 'relu4', geometry: { stride: 1, pad: 1, groups: 2 } },
];
const DENSES = [
  { name: 'fc6', from: 'pool5' },
  { name: 'fc7', from: 'drop6' },
  { name: 'fc8', from: 'drop7' },
] as const;
const POOLS = [
  { name: 'pool1', from: 'norm1' },
  { name: 'pool2', from: 'norm2' },
  { name: 'pool5', from: 'relu5' },
] as const;
const LRN = { size: 5, alpha: 1e-4, beta: 0.75 };
const POOL = { kernel: 3, stride: 2 };
const RELUS = [1, 2, 3, 4, 5].map((i) => [`relu${i}`, `conv${i}`] as const);
const DENSE_RELUS = [6, 7].map((i) => [`relu${i}`, `fc${i}`] as const);

describe('AlexNet, 64 images', function () {
  const net = alexnet();
  let data: Tensor;
  let label: Tensor;
  const parameters = net.parameters.map((v) => v.name);
  const blobs = net.nodes.flatMap((n) => n.outputs.map((v) => v.name)).filter((name) => name !== 'accuracy');
  let all: BackwardResult<'prob' | 'loss' | 'accuracy'>;
  let weights: Readonly<Record<string, Tensor>>;
  const hashes: string[] = [];

  this.timeout(300_000);
  // Hours of a sanitizer's time; the tests of each op bring it the same kernels.
  if (sanitized) return;

  before(async function () {
    const { availableMemory } = info();
    if (availableMemory < NEEDED) {
      console.log(
        `    (AlexNet at full size wants ${NEEDED / 1e9} GB; ${(availableMemory / 1e9).toFixed(1)} GB are free: skipped)`,
      );
      this.skip();
    }
    data = noise([BATCH, 3, 227, 227], 3, 128);
    label = labels(BATCH, 1000);
    for (const last of [false, true]) {
      using model = await compile(net, { batch: BATCH, seed: 11 });
      hashes.push(hashOf(await model.backward({ data, label }, { of: parameters })));
      if (!last) continue;
      weights = await model.weights();
      all = await model.backward({ data, label }, { of: ['data', ...blobs, ...parameters], fetch: blobs });
    }
  });

  after('the gigabytes go', () => {
    all = { loss: 0, outputs: {} as typeof all.outputs, gradients: {} };
  });

  const blob = (name: string): Tensor => (name === 'data' ? data : (all.outputs as Record<string, Tensor>)[name]!);
  const gradient = (name: string): Tensor => all.gradients[name]!;

  it('gives the same bits in two models of one seed', () => {
    assert.equal(hashes[0], hashes[1]);
  });

  for (const { name, from, geometry } of CONVS) {
    it(`${name}: blob, input gradient, filter and bias gradients`, () => {
      const [x, y, weight, bias] = [blob(from), blob(name), weights[`${name}.weight`]!, weights[`${name}.bias`]!];
      const dy = gradient(name);
      agree(y, name, (at) => reference.conv(x, weight, bias, geometry, at));
      if (from !== 'relu3' && from !== 'relu4') {
        agree(gradient(from), `d${from}`, (at) => reference.convInputGradient(dy, weight, geometry, at));
      }
      agree(
        gradient(`${name}.weight`),
        `d${name}.weight`,
        (at) => reference.convWeightGradient(x, dy, geometry, at),
        6,
      );
      agree(gradient(`${name}.bias`), `d${name}.bias`, ([k]) => reference.channelSum(dy, k), 6);
    });
  }

  for (const { name, from } of POOLS) {
    it(`${name}: blob and gradient`, () => {
      const x = blob(from);
      agree(blob(name), name, (at) => reference.maxPool(x, POOL, at));
      agree(gradient(from), `d${from}`, (at) => reference.maxPoolGradient(x, gradient(name), POOL, at));
    });
  }

  for (const i of [1, 2]) {
    it(`norm${i}: blob and gradient`, () => {
      const x = blob(`relu${i}`);
      agree(blob(`norm${i}`), `norm${i}`, (at) => reference.lrn(x, LRN, at));
      agree(gradient(`relu${i}`), `drelu${i}`, (at) => reference.lrnGradient(x, gradient(`norm${i}`), LRN, at));
    });
  }

  for (const [name, from] of [...RELUS, ...DENSE_RELUS]) {
    it(`${name}: blob and gradient, every element`, () => {
      const [x, y, dy, dx] = [blob(from).data, blob(name).data, gradient(name).data, gradient(from).data];
      const wrong = y.findIndex((v, i) => v !== Math.max(x[i]!, 0) || dx[i] !== (x[i]! > 0 ? dy[i]! : 0));
      assert.equal(wrong, -1);
    });
  }

  for (const i of [6, 7]) {
    it(`drop${i}: keeps half, doubles it, and its gradient follows`, () => {
      const [x, y] = [blob(`relu${i}`).data, blob(`drop${i}`).data];
      const [dx, dy] = [gradient(`relu${i}`).data, gradient(`drop${i}`).data];
      let [kept, alive] = [0, 0];
      for (let j = 0; j < x.length; j++) {
        if (x[j] === 0) continue;
        alive++;
        if (y[j] !== 0) kept++;
        assert.equal(y[j], y[j] === 0 ? 0 : 2 * x[j]!);
        assert.equal(dx[j], y[j] === 0 ? 0 : 2 * dy[j]!);
      }
      assert.ok(Math.abs(kept / alive - 0.5) < 0.01, `${kept} of ${alive} kept`);
    });
  }

  for (const { name, from } of DENSES) {
    it(`${name}: blob, input gradient, weight and bias gradients`, () => {
      const [x, weight, bias, dy] = [blob(from), weights[`${name}.weight`]!, weights[`${name}.bias`]!, gradient(name)];
      agree(blob(name), name, ([row, unit]) => reference.dense(x, weight, bias, row, unit));
      const inputs = weight.shape[1]!;
      const flat: Tensor = { data: gradient(from).data, shape: [BATCH, inputs] };
      agree(flat, `d${from}`, ([row, i]) => reference.denseInputGradient(dy, weight, row, i));
      agree(gradient(`${name}.weight`), `d${name}.weight`, ([unit, i]) =>
        reference.denseWeightGradient(x, dy, unit, i),
      );
      agree(gradient(`${name}.bias`), `d${name}.bias`, ([unit]) => reference.channelSum(dy, unit));
    });
  }

  it('prob, loss, and the gradient that the loss sends back', () => {
    const rows = Array.from({ length: BATCH }, (_, row) => reference.softmaxRow(blob('fc8'), row));
    agree(blob('prob'), 'prob', ([row, i]) => rows[row]![i]!);
    const expected = rows.reduce((sum, row, n) => sum - Math.log(row[label.data[n]!]!), 0) / BATCH;
    assert.ok(Math.abs(all.loss - expected) < 1e-5 * expected, `loss ${all.loss}, expected ${expected}`);
    agree(gradient('fc8'), 'dfc8', ([row, i]) => (rows[row]![i]! - (label.data[row] === i ? 1 : 0)) / BATCH, 200);
  });
});

/** Compares elements drawn from all over a tensor with the reference, which is given their positions. */
function agree(got: Tensor, what: string, expected: (at: At) => number, samples = SAMPLES): void {
  const random = new Random(5);
  const scale = magnitude(got.data);
  assert.ok(scale > 0 && Number.isFinite(scale), `${what}: largest magnitude ${scale}`);
  for (let i = 0; i < samples; i++) {
    const at = got.shape.map((extent) => random.below(extent));
    const element = at.reduce((sum, a, axis) => sum * got.shape[axis]! + a, 0);
    const want = expected(at as unknown as At);
    const error = Math.abs(got.data[element]! - want) / scale;
    assert.ok(
      error <= 1e-5,
      `${what} (${at.join(', ')}): ${got.data[element]}, expected ${want}: off by ${error.toExponential(2)}`,
    );
  }
}

function hashOf(result: BackwardResult<string>): string {
  const hash = createHash('sha1').update(String(result.loss));
  for (const { data } of Object.values(result.gradients))
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.digest('hex');
}
