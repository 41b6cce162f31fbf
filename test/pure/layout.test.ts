import assert from 'node:assert/strict';
import { alexnet, conv2d, dense, flatten, graph, input, maxPool, relu, softmax, softmaxLoss } from '../../lib/index.js';
import { lower, type Goal } from '../../lib/lower.js';
import { GPU, optimize, placeInArena, sizeOf, type Target } from '../../lib/passes/index.js';
import type { Program, Ref, Step } from '../../lib/program.js';
import { programOf, stepOf, training } from '../support/programs.js';

const { layouts: _, ...first } = GPU;
/** A GPU whose kernels take channels first alone. */
const CHANNELS_FIRST: Target = first;

const orders = (refs: readonly (Ref | undefined)[]): (boolean | undefined)[] =>
  refs.map((ref) => ref && (ref.channelsLast ?? false));
const reorders = ({ kernel, inputs, outputs }: Step): boolean =>
  kernel === 'convert' && (inputs[0]!.channelsLast ?? false) !== (outputs[0]!.channelsLast ?? false);

/**
 * Bytes that kernels read and write, and those that convolutions move besides to bring images where tensor cores want them:
 * of 16 bits, channels last, a multiple of 8 of them in each group (native/cuda/library_convolution.h).
 */
function traffic(program: Program): number {
  let bytes = 0;
  for (const { kernel, inputs, outputs, attributes } of program.steps) {
    const refs = [...inputs, ...outputs].filter((ref) => ref !== undefined);
    bytes += refs.reduce((sum, ref) => sum + sizeOf(ref), 0);
    if (!kernel.startsWith('conv2d')) continue;
    for (const ref of refs) {
      if (ref.shape.length !== 4 || ref.place.kind === 'state' || (ref === outputs[0]) === kernel.endsWith('wgrad'))
        continue;
      const channels = ref.shape[1]! / (attributes.groups as number);
      const width = ref.dtype === 'f32' ? 4 : 2;
      const padded = (sizeOf(ref) / width / channels) * Math.ceil(channels / 8) * 8 * 2;
      if (width === 4 || !ref.channelsLast || channels % 8 !== 0) bytes += sizeOf(ref) + 2 * padded;
    }
  }
  return bytes;
}

describe('channels last between layers', () => {
  const net = alexnet();

  it("are AlexNet's from conv1 to pool5 and back, in either precision, brought back before fc6 alone", () => {
    for (const precision of ['bfloat16', 'float16'] as const) {
      const program = programOf(net, training(net, 128), precision);
      assert.deepEqual(
        program.steps.filter(reorders).map(({ label }) => label),
        ['fc6.convert', 'pool5.grad.convert'],
      );
      for (const label of ['conv2', 'pool2', 'conv4', 'relu3.grad', 'norm1.grad', 'pool5.grad', 'conv2.dgrad']) {
        const { inputs, outputs } = stepOf(program, label);
        for (const ref of [...inputs, ...outputs])
          if (ref?.shape[0] === 128) assert.ok(ref.channelsLast, `${label}: ${ref.label}`);
      }
      // Parameters and their gradients are as they are.
      assert.deepEqual(orders(stepOf(program, 'conv3.wgrad').outputs), [false, false]);
      for (const { inputs, outputs } of [...program.steps, ...program.prologue])
        for (const ref of [...inputs, ...outputs]) assert.ok(ref?.place.kind !== 'state' || !ref.channelsLast);
    }
  });

  it('have channels of zeros where pictures have three, once for the convolution and its filter gradient', () => {
    const shapes = (refs: readonly (Ref | undefined)[]): unknown => refs.map((ref) => ref?.shape[1]);
    const few = graph({ data: input([3, 9, 9]), label: input([]) }, ({ data, label }) => {
      const conv1 = conv2d(data, { name: 'conv1', filters: 96, kernel: 3 });
      const conv2 = conv2d(conv1, { name: 'conv2', filters: 8, kernel: 3 });
      return { loss: softmaxLoss(dense(conv2, { name: 'ip', units: 5 }), label, { name: 'loss' }) };
    });
    const program = programOf(few, training(few, 128), 'bfloat16');
    const [conv, wgrad] = [stepOf(program, 'conv1'), stepOf(program, 'conv1.wgrad')];
    assert.deepEqual(
      [orders(conv.inputs), shapes(conv.inputs)],
      [
        [true, true, false],
        [8, 8, undefined],
      ],
    );
    assert.deepEqual(
      [orders(wgrad.inputs), shapes(wgrad.inputs)],
      [
        [true, true],
        [8, 96],
      ],
    );
    assert.equal(wgrad.inputs[0], conv.inputs[0]);
    assert.deepEqual(shapes(stepOf(program, 'conv1.wgrad.convert').outputs), [3]);
    assert.deepEqual(stepOf(program, 'conv1.weight.update').outputs[2], conv.inputs[1]);
    // Groups are theirs to fill up, and in float16 filters and pictures have scales of their own.
    for (const [of, precision] of [
      [few, 'float16'],
      [
        graph({ x: input([6, 9, 9]) }, ({ x }) => ({
          y: conv2d(x, { name: 'conv1', filters: 8, kernel: 3, groups: 2 }),
        })),
        'bfloat16',
      ],
    ] as const) {
      const goal: Goal = { batch: 2, phase: 'test', fetch: [of.value('conv1')], gradients: [], seeds: [] };
      const [x] = stepOf(programOf(of, goal, precision), 'conv1').inputs;
      assert.equal(x!.place.kind, 'input');
    }
  });

  it('spare a training step a fifth of its traffic, for the channels of zeros in memory', () => {
    const [last, before] = [GPU, CHANNELS_FIRST].map((target) =>
      programOf(net, training(net, 128), 'bfloat16', target),
    ) as [Program, Program];
    assert.ok(traffic(last) < 0.8 * traffic(before), `${traffic(last)} of ${traffic(before)} bytes`);
    assert.ok(placeInArena(last).bytes <= 1.05 * placeInArena(before).bytes);
  });

  it('are not where a kernel does not know them, where the caller reads, nor through views', () => {
    const mixed = graph({ x: input([3, 9, 9]) }, ({ x }) => {
      const a = conv2d(x, { name: 'a', filters: 8, kernel: 3 });
      const b = relu(maxPool(a, { name: 'pool', kernel: 2, stride: 2 }), { name: 'b', slope: 0.1 });
      return { b, soft: softmax(b, { name: 'soft' }), y: dense(flatten(b), { name: 'y', units: 2 }) };
    });
    const { b, soft, y } = mixed.outputs;
    const goal: Goal = { batch: 2, phase: 'test', fetch: [b, soft, y], gradients: [], seeds: [] };
    const program = programOf(mixed, goal, 'bfloat16');
    assert.deepEqual(orders(stepOf(program, 'pool').inputs), [true]);
    assert.deepEqual(orders(stepOf(program, 'b').inputs), [true]);
    for (const { label, kernel, inputs } of program.steps)
      if (kernel === 'softmax' || kernel === 'dense') assert.ok(!inputs[0]!.channelsLast, label);
    for (const result of program.results) assert.ok(!program.refs[result.id]!.channelsLast, result.label);
  });

  it('are not in float32, nor where passes are none', () => {
    for (const [precision, passes] of [
      ['float32', 'all'],
      ['tf32', 'none'],
      ['bfloat16', 'none'],
    ] as const) {
      const { program } = lower(net, training(net, 2));
      const { refs } = optimize(program, { passes, precision, target: GPU });
      assert.ok(refs.every(({ channelsLast }) => !channelsLast));
    }
  });

  it('are float32 in TF32', () => {
    const { program } = lower(net, training(net, 2));
    const { steps } = optimize(program, { passes: 'all', precision: 'tf32', target: GPU });
    const [x] = steps.find(({ kernel }) => kernel.startsWith('maxPool'))!.inputs;
    assert.deepEqual([x!.dtype, x!.channelsLast], ['f32', true]);
  });
});
