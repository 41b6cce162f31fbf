import assert from 'node:assert/strict';
import { alexnet, conv2d, graph, input, relu, squeezenet } from '../../lib/index.js';
import { GPU, type Precision, type Target } from '../../lib/passes/index.js';
import type { Program, Ref } from '../../lib/program.js';
import { programOf, stepOf, training } from '../support/programs.js';

const shapes = (refs: readonly (Ref | undefined)[]): unknown => refs.map((ref) => ref?.shape);

type Options = Omit<Parameters<typeof conv2d>[1], 'name' | 'filters'>;
/** One convolution of (2, channels, 20, 20), run forward and for all gradients. */
function one(channels: number, options: Options, target: Target = GPU, precision: Precision = 'bfloat16'): Program {
  const net = graph({ x: input([channels, 20, 20]) }, ({ x }) => ({
    y: conv2d(x, { name: 'conv', filters: 8, ...options }),
  }));
  const y = net.outputs.y;
  const gradients = [net.inputs.x, net.value('conv.weight')];
  return programOf(net, { batch: 2, phase: 'test', fetch: [y], gradients, seeds: [y] }, precision, target);
}

describe('pixels as channels', () => {
  it("are those of AlexNet's pictures: 48 channels and 3×3 taps without a stride, once for filters and their gradient", () => {
    const net = alexnet();
    const program = programOf(net, training(net, 128), 'bfloat16');
    const [conv, wgrad] = [stepOf(program, 'conv1'), stepOf(program, 'conv1.wgrad')];
    assert.deepEqual(shapes(conv.inputs), [[128, 48, 57, 57], [96, 48, 3, 3], [96]]);
    assert.deepEqual(shapes(conv.outputs), [[128, 96, 55, 55]]);
    for (const { attributes } of [conv, wgrad]) {
      const { strideH, strideW, padH, padW } = attributes;
      assert.deepEqual([strideH, strideW, padH, padW], [1, 1, 0, 0]);
    }
    assert.equal(wgrad.inputs[0], conv.inputs[0]);
    assert.deepEqual(shapes(wgrad.outputs), [[96, 48, 3, 3], [96]]);
    const back = program.steps.filter(({ kernel }) => kernel === 'depth_to_space');
    assert.deepEqual(
      back.map(({ inputs, outputs }) => [inputs[0], shapes(outputs)]),
      [[wgrad.outputs[0], [[96, 3, 11, 11]]]],
    );
    for (const ref of [conv.inputs[0]!, conv.inputs[1]!, wgrad.outputs[0]!])
      assert.deepEqual([ref.dtype, ref.channelsLast], ['bf16', true], ref.label);
    // Pictures alone are brought there in every run: the update writes filters so.
    const there = program.steps.filter(({ kernel }) => kernel === 'space_to_depth');
    assert.deepEqual(
      there.map(({ inputs }) => inputs[0]!.label),
      ['data'],
    );
    const update = stepOf(program, 'conv1.weight.update');
    assert.deepEqual([update.outputs[2], update.attributes.blocks], [conv.inputs[1], [4, 4]]);
    assert.deepEqual(stepOf(program, 'conv2.weight.update').attributes.blocks, [1, 1]);
    assert.equal(stepOf(program, 'conv1.bias.update').attributes.blocks, undefined);
  });

  it('hold padding and what is left of a block; strides need not be alike', () => {
    for (const [channels, options, image, filter, pads] of [
      [3, { kernel: 7, stride: 2, pad: 3 }, [2, 16, 13, 13], [8, 16, 4, 4], [3, 3]],
      [3, { kernel: 5, stride: 3, pad: 1 }, [2, 32, 7, 7], [8, 32, 2, 2], [1, 1]],
      [1, { kernel: [2, 9], stride: [3, 2], pad: [0, 1] }, [2, 8, 7, 11], [8, 8, 1, 5], [0, 1]],
      [3, { kernel: 4, stride: 4 }, [2, 48, 5, 5], [8, 48, 1, 1], [0, 0]],
    ] as const) {
      const program = one(channels, options);
      const conv = stepOf(program, 'conv');
      assert.deepEqual(shapes(conv.inputs.slice(0, 2)), [image, filter]);
      const there = program.steps.find(({ kernel }) => kernel === 'space_to_depth')!;
      assert.deepEqual([there.attributes.padH, there.attributes.padW], pads);
      const [made] = program.prologue.filter(({ kernel }) => kernel === 'space_to_depth');
      assert.deepEqual([made!.attributes.padH, made!.attributes.padW], [0, 0], 'filters have no padding');
      // The gradient of the image is left to the convolution that it was.
      const dgrad = stepOf(program, 'conv.dgrad');
      assert.deepEqual(shapes(dgrad.outputs), [[2, channels, 20, 20]]);
      assert.equal(dgrad.attributes.padW, pads[1]);
    }
  });

  it('are none where that is more to multiply, between taps that lie apart, and in groups', () => {
    for (const [channels, options] of [
      [3, { kernel: 3 }],
      [3, { kernel: 1, stride: 2 }],
      [8, { kernel: 4, stride: 2 }],
      [16, { kernel: 11, stride: 4 }],
      [3, { kernel: 11, stride: 1 }],
      [3, { kernel: 5, stride: 4, dilation: 2 }],
      [6, { kernel: 11, stride: 4, groups: 2 }],
    ] as const) {
      for (const precision of ['bfloat16', 'float32'] as const) {
        const { steps, prologue } = one(channels, options, GPU, precision);
        assert.ok([...prologue, ...steps].every(({ kernel }) => !kernel.includes('depth')));
      }
    }
  });

  it('are where, and as, the target says', () => {
    const { depth: _, ...none } = GPU;
    const isDeep = ({ steps }: Program): boolean => steps.some(({ kernel }) => kernel === 'space_to_depth');
    const first = { kernel: 11, stride: 4 };
    assert.ok(!isDeep(one(3, first, none)));
    const float16 = stepOf(one(3, first, GPU, 'float16'), 'conv').inputs[0]!;
    // Its scale is the convolution's to find.
    assert.deepEqual([float16.dtype, float16.channelsLast], ['f32', true]);
    const float32 = one(3, first, GPU, 'float32');
    const [x, weight] = stepOf(float32, 'conv').inputs;
    assert.deepEqual([x!.dtype, x!.channelsLast, x!.shape], ['f32', false, [2, 48, 5, 5]]);
    assert.deepEqual([weight!.dtype, weight!.shape], ['f32', [8, 48, 3, 3]]);
    // Where tensor cores would read zeros beside three channels, float32 reads three; Winograd's points take 3 to 5 taps.
    assert.ok(isDeep(one(3, { kernel: 7, stride: 2 }, GPU, 'float32')));
    assert.ok(
      isDeep(one(3, { kernel: 5, stride: 3 }, GPU)) && !isDeep(one(3, { kernel: 5, stride: 3 }, GPU, 'float32')),
    );
  });

  it('are made once for all that read them alike', () => {
    const options = { filters: 8, kernel: 3, stride: 2, bias: false };
    const net = graph({ x: input([3, 9, 9]) }, ({ x }) => ({
      a: conv2d(x, { ...options, name: 'a' }),
      b: relu(conv2d(x, { ...options, name: 'b' })),
      c: conv2d(x, { ...options, name: 'c', pad: 1 }),
    }));
    const { a, b, c } = net.outputs;
    const program = programOf(net, { batch: 2, phase: 'test', fetch: [a, b, c], gradients: [], seeds: [] }, 'bfloat16');
    const [first, second, third] = ['a', 'b', 'c'].map((label) => stepOf(program, label).inputs[0]);
    assert.equal(first, second);
    assert.notEqual(first, third);
  });

  it("are those of SqueezeNet's pictures too", () => {
    const net = squeezenet();
    const program = programOf(
      net,
      { batch: 1, phase: 'test', fetch: [net.outputs.prob], gradients: [], seeds: [] },
      'bfloat16',
    );
    assert.equal(program.steps.filter(({ kernel }) => kernel === 'space_to_depth').length, 1);
  });
});
