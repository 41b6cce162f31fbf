/** Normalisation and pooling in one pass, against the two by themselves. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { compile, graph, input, lrn, maxPool, relu, type Graph, type Tensor } from '../../lib/index.js';
import { lower } from '../../lib/lower.js';
import { optimize, type Passes } from '../../lib/passes/index.js';
import { assertClose, forAll, random, seeds } from '../support/ops.js';

interface Case {
  readonly images: number;
  readonly channels: number;
  readonly extent: readonly [number, number];
  readonly localSize: number;
  readonly beta: number;
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly pad: readonly [number, number];
  readonly rectified: boolean;
  readonly seed: number;
}

const whole = (min: number, max: number) => fc.integer({ min, max });
const two = (min: number, max: number) => fc.tuple(whole(min, max), whole(min, max));

const cases: fc.Arbitrary<Case> = fc
  .record({
    images: whole(8, 9),
    channels: whole(1, 12),
    extent: two(3, 61),
    localSize: fc.constantFrom(1, 3, 5, 7),
    beta: fc.constantFrom(0.75, 0.5, 0.6),
    kernel: two(1, 3),
    stride: two(1, 2),
    pad: two(0, 1),
    rectified: fc.boolean(),
    seed: seeds,
  })
  .filter(({ kernel, stride, pad }) => [0, 1].every((i) => pad[i]! < kernel[i]! && stride[i]! <= kernel[i]!));

function netOf({ channels, extent, localSize, beta, kernel, stride, pad, rectified }: Case): Graph<'x', 'y'> {
  return graph({ x: input([channels, ...extent]) }, ({ x }) => {
    const before = rectified ? relu(x) : x;
    return { y: maxPool(lrn(before, { localSize, alpha: 0.5, beta }), { kernel, stride, pad }) };
  });
}

async function run(one: Case, passes: Passes): Promise<Tensor[]> {
  const net = netOf(one);
  const model = await compile(net, { batch: one.images, passes });
  try {
    const x = random([one.images, one.channels, ...one.extent], one.seed);
    const dy = random([one.images, ...net.outputs.y.shape.slice(1)], one.seed + 1);
    const { y } = await model.forward({ x });
    const { gradients } = await model.backward({ x }, { of: ['x'], from: { [net.outputs.y.name]: dy } });
    return [y, gradients.x!];
  } finally {
    model.dispose();
  }
}

function kernels(one: Case): string[] {
  const net = netOf(one);
  const { y } = net.outputs;
  const goal = { batch: one.images, phase: 'train', fetch: [y], gradients: [net.inputs.x], seeds: [y] } as const;
  const { steps } = optimize(lower(net, goal).program, { passes: 'all', precision: 'float32' });
  return steps.map((step) => step.kernel);
}

describe('lrn and maxPool in one pass', () => {
  it('give what each gives by itself, forward and backward', () =>
    forAll(cases, async (one) => {
      const [[y, dx], [plainY, plainDx]] = [await run(one, 'all'), await run(one, 'none')];
      assert.deepEqual(y!.data, plainY!.data);
      assertClose(dx!.data, Float64Array.from(plainDx!.data), 'dx');
    }));

  const first: Case = {
    images: 8,
    channels: 96,
    extent: [55, 55],
    localSize: 5,
    beta: 0.75,
    kernel: [3, 3],
    stride: [2, 2],
    pad: [0, 0],
    rectified: true,
    seed: 1,
  };

  it('are joined in AlexNet, with the ReLU before them on the way back', () =>
    assert.deepEqual(kernels(first), ['relu', 'lrn_maxPool', 'lrn_maxPool_grad']));

  it('are left to themselves where windows, planes or batches do not suit', () => {
    const apart = ['relu', 'lrn', 'maxPool', 'maxPool_grad', 'lrn_grad', 'relu_grad'];
    assert.deepEqual(kernels({ ...first, stride: [3, 3] }), apart);
    const joined = ['relu', 'lrn_maxPool', ...apart.slice(3)];
    assert.deepEqual(kernels({ ...first, images: 1 }), joined);
    assert.deepEqual(kernels({ ...first, extent: [99, 99] }), joined);
  });

  it('are left to themselves where what lies between is wanted', () => {
    const net = graph({ x: input([4, 9, 9]) }, ({ x }) => {
      const normal = lrn(x);
      return { normal, y: maxPool(normal, { kernel: 3, stride: 2 }) };
    });
    const goal = { batch: 2, phase: 'test', fetch: Object.values(net.outputs), gradients: [], seeds: [] } as const;
    const { steps } = optimize(lower(net, goal).program, { passes: 'all', precision: 'float32' });
    assert.deepEqual(
      steps.map((step) => step.kernel),
      ['lrn', 'maxPool'],
    );
  });
});
