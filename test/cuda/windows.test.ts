/** Kernels that do the work of several at once, against those by themselves, tensor by tensor; and where they are put. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { alexnet, caffenet, type Graph, type Tensor } from '../../lib/index.js';
import { openDevice } from '../../lib/device.js';
import { lower } from '../../lib/lower.js';
import { allocate, prepare } from '../../lib/native.js';
import type { Attributes } from '../../lib/op.js';
import { pooled } from '../../lib/ops/pool.js';
import { GPU, optimize, type Precision } from '../../lib/passes/index.js';
import { inPixels } from '../../lib/passes/lrn-pool.js';
import { BYTES, type DType, type Step } from '../../lib/program.js';
import { count, type Shape } from '../../lib/shape.js';
import { assertClose, forAll, random, seeds, tensorOf } from '../support/ops.js';
import { needsSimulation } from '../support/simulation.js';

const device = process.env.CORTADO_DEVICE ?? 'cuda-sim';

/** A plan by hand, whose tensors lie behind each other. */
class Plan {
  readonly #tensors: { memory: number; offset: number; shape: Shape; dtype: DType; channelsLast: boolean }[] = [];
  readonly #steps: { kernel: string; label: string; inputs: number[]; outputs: number[]; attributes: Attributes }[] =
    [];
  readonly #feeds: { offset: number; data: Float32Array }[] = [];
  #bytes = 0;

  tensor(shape: Shape, dtype: DType, channelsLast = false): number {
    const offset = this.#bytes;
    this.#bytes += Math.ceil((count(shape) * BYTES[dtype]) / 64) * 64;
    return (
      this.#tensors.push({ memory: 0, offset, shape, dtype, channelsLast: channelsLast && shape.length === 4 }) - 1
    );
  }

  /** Images of that type, in that order. */
  images({ data, shape }: Tensor, dtype: DType, channelsLast: boolean): number {
    const plain = this.tensor(shape, 'f32');
    this.#feeds.push({ offset: this.#tensors[plain]!.offset, data });
    return this.step('convert', [plain], this.tensor(shape, dtype, channelsLast));
  }

  /** The tensor as floats, channels first. */
  plain(tensor: number): number {
    return this.step('convert', [tensor], this.tensor(this.#tensors[tensor]!.shape, 'f32'));
  }

  step(kernel: string, inputs: number[], output: number, attributes: Attributes = {}, more: number[] = []): number {
    this.#steps.push({ kernel, label: kernel, inputs, outputs: [output, ...more], attributes });
    return output;
  }

  async run(results: number[]): Promise<readonly Float32Array[]> {
    const memory = allocate(this.#bytes, (await openDevice(device)).native);
    try {
      for (const { offset, data } of this.#feeds) memory.write(offset, data, 0, data.length);
      const plan = await prepare({ memories: [memory], tensors: this.#tensors, steps: this.#steps, threads: 1 });
      const run = (await plan.run(results, false))!;
      plan.dispose();
      return run.results;
    } finally {
      memory.dispose();
    }
  }
}

interface Case {
  readonly images: number;
  readonly packs: number;
  readonly extent: readonly [number, number];
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly pad: readonly [number, number];
  readonly types: readonly [value: DType, gradient: DType];
  readonly last: boolean;
  readonly relu: boolean;
  readonly seed: number;
}

const whole = (min: number, max: number) => fc.integer({ min, max });
const two = (min: number, max: number) => fc.tuple(whole(min, max), whole(min, max));
const cases: fc.Arbitrary<Case> = fc
  .record({
    images: whole(1, 3),
    packs: fc.oneof(whole(1, 5), fc.constant(33)),
    extent: two(3, 19),
    kernel: two(1, 4),
    stride: two(1, 3),
    pad: two(0, 2),
    types: fc.constantFrom(['bf16', 'bf16'] as const, ['f16', 'bf16'] as const, ['f32', 'f32'] as const),
    last: fc.boolean(),
    relu: fc.boolean(),
    seed: seeds,
  })
  .filter(({ kernel, stride, pad }) => [0, 1].every((i) => pad[i]! < kernel[i]! && stride[i]! <= kernel[i]!));

const across = { localSize: 5, alpha: 0.5, beta: 0.75, k: 1 };

/** A case's extents, and what its kernels are given. */
function read({ images, packs, extent, kernel, stride, pad, seed }: Case) {
  const shape = [images, 8 * packs, ...extent];
  const window = {
    ...{ kernelH: kernel[0], kernelW: kernel[1] },
    ...{ strideH: stride[0], strideW: stride[1], padH: pad[0], padW: pad[1] },
  };
  const small = pooled(shape, { ...window, ceil: 1 });
  // Few different numbers, many of them alike and many at zero, where a ReLU lets nothing through.
  const noise = random(shape, seed, { min: -4, max: 8 });
  const x = tensorOf(shape, (i) => Math.max(0, Math.round(noise.data[i]!)) / 2);
  const code = kernel[0] * kernel[1] <= 256 ? ('u8' as const) : ('i32' as const);
  return { shape, window, small, x, dy: random(small, seed + 1), code };
}

/** What rounding to 16 bits may change: results, and what lay between and was rounded too. */
const ROUNDING: Readonly<Record<string, number>> = { f32: 1e-6, bf16: 2 ** -7 };

describe('kernels of windows that do the work of several', function () {
  this.timeout(600_000);
  if (device === 'cuda-sim') before(needsSimulation);

  it('normalise and pool to the same bits', () =>
    forAll(cases, async (one) => {
      const { shape, window, small, x, code } = read(one);
      const [type] = one.types;
      const plan = new Plan();
      const from = plan.images(x, type, true);
      const between = plan.step('lrn', [from], plan.tensor(shape, type, true), across);
      const [y, tap, joinedY, joinedTap] = [type, code, type, code].map((dtype) => plan.tensor(small, dtype, true));
      const unwanted = plan.tensor(small, 'f32', true);
      plan.step('maxPool', [between], y!, window, [unwanted, tap!]);
      plan.step('lrn_maxPool', [from], joinedY!, { ...across, ...window }, [joinedTap!]);
      const [a, b, c, d] = await plan.run([plan.plain(y!), plan.plain(joinedY!), tap!, joinedTap!]);
      assert.deepEqual(b, a);
      assert.deepEqual(d, c);
    }));

  it('go back through both, and through the ReLU before them', () =>
    forAll(cases, async (one) => {
      const { shape, window, small, x, dy, code } = read(one);
      const [type, gradient] = one.types;
      const attributes = { ...across, ...window };
      const layout = { id: 0, shape, dtype: type, place: { kind: 'work' }, label: 'x', channelsLast: true } as const;
      if (!inPixels.backward(layout, attributes)) return;
      const plan = new Plan();
      const [from, slope] = [plan.images(x, type, true), plan.images(dy, gradient, true)];
      const tap = plan.tensor(small, code, true);
      plan.step('lrn_maxPool', [from], plan.tensor(small, type, true), attributes, [tap]);
      const dx = (): number => plan.tensor(shape, gradient, true);
      let want = plan.step('maxPool_grad', [slope, tap], dx(), window);
      want = plan.step('lrn_grad', [want, from], dx(), across);
      if (one.relu) want = plan.step('relu_grad', [want, from], dx(), { slope: 0 });
      const got = plan.step('lrn_maxPool_grad', [slope, tap, from], dx(), { ...attributes, relu: one.relu ? 1 : 0 });
      const [b, a] = await plan.run([plan.plain(got), plan.plain(want)]);
      assertClose(b!, a!, 'dx', ROUNDING[gradient]);
    }));

  it('go back through one of them and the ReLU before it to the same bits', () =>
    forAll(cases, async (one) => {
      const { shape, window, small, x, dy, code } = read(one);
      const [type, gradient] = one.types;
      const plan = new Plan();
      const from = plan.images(x, type, one.last);
      const slope = plan.images(dy, gradient, one.last);
      const direct = plan.images(random(shape, one.seed + 2), gradient, one.last);
      const [tap, unwanted] = [plan.tensor(small, code, one.last), plan.tensor(small, 'f32', one.last)];
      plan.step('maxPool', [from], plan.tensor(small, type, one.last), window, [unwanted, tap]);
      const dx = (): number => plan.tensor(shape, gradient, one.last);
      const pairs: [number, number][] = [];
      const compare = (name: string, inputs: number[], given: Attributes, y: number[]): void => {
        const plain = plan.step(`${name}_grad`, inputs, dx(), given);
        const want = plan.step('relu_grad', [plain, from], dx(), { slope: 0 });
        const got = plan.step(`${name}_relu_grad`, [...inputs, ...y], dx(), given);
        pairs.push([plan.plain(got), plan.plain(want)]);
      };
      compare('maxPool', [slope, tap], window, [from]);
      compare('averagePool', [slope], window, [from]);
      compare('lrn', [direct, from], across, []);
      compare('lrn', [direct, from], { ...across, localSize: 3, beta: 0.5 }, []);
      const results = await plan.run(pairs.flat());
      pairs.forEach((_, i) => assert.deepEqual(zeros(results[2 * i]!), zeros(results[2 * i + 1]!)));
    }));

  /** The kernels of a training step's gradients. */
  function kernels(net: Graph, precision: Precision): string[] {
    const loss = net.outputs.loss!;
    const gradients = net.parameters.filter(({ name }) => name.endsWith('weight')).map(({ name }) => net.value(name));
    const goal = { batch: 2, phase: 'train', fetch: [loss], gradients, seeds: [loss] } as const;
    const { steps } = optimize(lower(net, goal).program, { passes: 'all', precision, target: GPU });
    return steps.map((step: Step) => step.kernel).filter((kernel) => /lrn|Pool|relu/.test(kernel));
  }

  it('take the place of the others in AlexNet, where channels are last, and in CaffeNet', () => {
    const rest = ['maxPool', ...Array<string>(2).fill('relu_grad'), 'maxPool_relu_grad', 'relu_grad', 'relu_grad'];
    const once = ['lrn_maxPool', 'lrn_maxPool'];
    const back = ['lrn_maxPool_grad', 'lrn_maxPool_grad'];
    assert.deepEqual(kernels(alexnet(), 'bfloat16'), [...once, ...rest, ...back]);
    const apart = ['lrn', 'maxPool', 'lrn', 'maxPool'];
    const apartBack = ['maxPool_grad', 'lrn_relu_grad'];
    assert.deepEqual(kernels(alexnet(), 'float32'), [...apart, ...rest, ...apartBack, ...apartBack]);
    const swapped = ['lrn_grad', 'maxPool_relu_grad'];
    assert.deepEqual(kernels(caffenet(), 'bfloat16'), [
      ...['maxPool', 'lrn', 'maxPool', 'lrn'],
      ...[...rest, ...swapped, ...swapped],
    ]);
  });
});

/** 0 and -0 alike. */
const zeros = (values: Float32Array): Float32Array => values.map((value) => value + 0);
