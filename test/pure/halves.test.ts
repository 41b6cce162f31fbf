import assert from 'node:assert/strict';
import {
  alexnet,
  conv2d,
  dense,
  dropout,
  flatten,
  graph,
  input,
  maxPool,
  relu,
  sgd,
  softmaxLoss,
} from '../../lib/index.js';
import { lower, type Goal } from '../../lib/lower.js';
import { GPU, optimize, placeInArena, type Precision } from '../../lib/passes/index.js';
import { rootOf, type Ref } from '../../lib/program.js';
import { programOf, stepOf, training } from '../support/programs.js';

const net = graph({ data: input([3, 8, 8]), label: input([]) }, ({ data, label }) => {
  const conv = relu(conv2d(data, { name: 'conv', filters: 4, kernel: 3 }), { name: 'act' });
  const pool = flatten(maxPool(conv, { name: 'pool', kernel: 2, stride: 2 }));
  const hidden = dropout(dense(pool, { name: 'ip1', units: 6 }), { name: 'drop', ratio: 0.5 });
  return { pool, loss: softmaxLoss(dense(hidden, { name: 'ip2', units: 5 }), label, { name: 'loss' }) };
});

const types = (refs: readonly (Ref | undefined)[]): (string | undefined)[] => refs.map((ref) => ref?.dtype);

describe('16 bits between layers', () => {
  it('begin behind the first product and end before the loss, whose gradient begins them again; gradients are bfloat16 in either precision', () => {
    for (const [precision, value] of [
      ['bfloat16', 'bf16'],
      ['float16', 'f16'],
    ] as const) {
      const program = programOf(net, training(net, 2), precision);
      const seen = (label: string): unknown => {
        const { inputs, outputs } = stepOf(program, label);
        return [types(inputs), types(outputs)];
      };
      // In float16 pictures and filters are brought to where their sums fit.
      const picture = precision === 'bfloat16' ? value : 'f32';
      assert.deepEqual(seen('conv'), [[picture, picture, 'f32'], [value]]);
      assert.deepEqual(seen('pool'), [[value], [value, undefined, 'u8']]);
      assert.deepEqual(seen('ip1'), [[value, value, 'f32'], [value]]);
      assert.deepEqual(seen('drop'), [[value, 'i32'], [value]]);
      assert.deepEqual(seen('ip2'), [[value, value, 'f32'], ['f32']]);
      assert.deepEqual(seen('loss.grad'), [['f32', 'f32', 'f32'], ['bf16']]);
      assert.deepEqual(seen('ip2.dgrad'), [['bf16', 'bf16'], ['bf16']]);
      assert.deepEqual(seen('ip1.dgrad'), [['bf16', 'bf16'], ['bf16']]);
      // And that of the ReLU before it.
      assert.deepEqual(seen('pool.grad'), [['bf16', 'u8', value], ['bf16']]);
      assert.deepEqual(seen('conv.wgrad'), [
        [picture, 'bf16'],
        [picture, 'f32'],
      ]);
    }
  });

  it('leave parameters, their gradients and the update as they are', () => {
    const { steps } = programOf(net, training(net, 2), 'bfloat16');
    const state = steps.filter(({ kernel }) => ['sgd', 'squared_norm', 'clip_factor'].includes(kernel));
    assert.ok(state.length > 0);
    for (const { inputs, outputs, label } of state)
      for (const ref of [...inputs, ...outputs]) if (ref?.place.kind === 'state') assert.equal(ref.dtype, 'f32', label);
  });

  it('are those of kept weights that the update writes along, and of all that a run leaves as they are', () => {
    for (const [precision, copies] of [
      ['bfloat16', ['bf16']],
      ['float16', ['f16', 'bf16']],
    ] as const) {
      const program = programOf(net, training(net, 2), precision);
      const kinds = (label: string): unknown =>
        stepOf(program, label).outputs.flatMap((ref) => {
          const { place, dtype } = program.refs[ref!.id]!;
          return place.kind === 'kept' ? [dtype] : [];
        });
      assert.deepEqual(kinds('ip1.weight.update'), copies);
      assert.deepEqual(kinds('ip2.weight.update'), copies);
      assert.deepEqual(kinds('ip1.bias.update'), []);
      assert.ok(
        program.steps.every(({ kernel, inputs: [from] }) => kernel !== 'convert' || from!.place.kind !== 'state'),
      );
      const update = { solver: sgd({ rate: 1, iterSize: 2 }), part: 'first' as const };
      const first = programOf(net, { ...training(net, 2), update }, precision);
      assert.equal(first.prologue.length, program.prologue.length);
    }
  });

  it('are made in every run of weights that something else than an update changes, too', () => {
    const { updates: _, ...none } = GPU;
    const program = optimize(lower(net, training(net, 2)).program, {
      passes: 'all',
      precision: 'bfloat16',
      target: none,
    });
    assert.deepEqual(program.prologue, []);
    assert.equal(stepOf(program, 'ip1.convert').inputs[0]!.label, 'ip1.weight');
  });

  it('are float32 again where the caller reads them', () => {
    const fetch = [net.outputs.pool, net.outputs.loss];
    const program = programOf(net, { batch: 2, phase: 'test', fetch, gradients: [], seeds: [] }, 'bfloat16');
    for (const result of program.results) {
      const root = program.refs[rootOf(program.views, result.id)]!;
      assert.equal(root.dtype, 'f32', result.label);
    }
    assert.deepEqual(types(stepOf(program, 'pool').outputs), ['bf16', undefined, undefined]);
    assert.deepEqual(types(stepOf(program, 'pool.convert').outputs), ['f32']);
    assert.deepEqual(types(stepOf(program, 'ip1').outputs), ['bf16']);
  });

  it('are those of kept weights where a run changes none', () => {
    const goal: Goal = { batch: 2, phase: 'test', fetch: [net.outputs.loss], gradients: [], seeds: [] };
    for (const [precision, type] of [
      ['bfloat16', 'bf16'],
      ['float16', 'f16'],
    ] as const) {
      const { prologue, refs } = programOf(net, goal, precision);
      assert.deepEqual(
        prologue.map(({ label, outputs }) => [label, outputs[0]!.dtype, refs[outputs[0]!.id]!.place.kind]),
        [
          ...(precision === 'bfloat16' ? [['conv.convert', type, 'kept']] : []),
          ['ip1.convert', type, 'kept'],
          ['ip2.convert', type, 'kept'],
        ],
      );
    }
  });

  it('are counted as two bytes: AlexNet trains in three quarters of the memory, its pictures and filter gradients float32', () => {
    const large = alexnet();
    const bytes = (precision: Precision): number => {
      const program = programOf(large, training(large, 128), precision);
      return placeInArena(program).bytes;
    };
    const [whole, bfloat16, float16] = [bytes('float32'), bytes('bfloat16'), bytes('float16')];
    // In float16 the pixels that are channels wait in float32 for a scale.
    assert.ok(bfloat16 <= float16 && float16 < 0.75 * whole, `${float16} and ${bfloat16} of ${whole} bytes`);
  });

  it('are not where passes are none, nor in other precisions', () => {
    const { program } = lower(net, training(net, 2));
    const settings = [
      { passes: 'none', precision: 'bfloat16' },
      { passes: 'all', precision: 'tf32' },
      { passes: 'all', precision: 'float32' },
    ] as const;
    for (const setting of settings) {
      const { refs } = optimize(program, { ...setting, target: GPU });
      assert.ok(refs.every(({ dtype }) => dtype !== 'bf16' && dtype !== 'f16'));
    }
  });
});
