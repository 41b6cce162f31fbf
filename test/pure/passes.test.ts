import assert from 'node:assert/strict';
import { clip, conv2d, dense, flatten, graph, input, relu, sgd, softmaxLoss, type Value } from '../../lib/index.js';
import { lower, type Goal } from '../../lib/lower.js';
import { CPU, GPU, optimize as optimizeFor, type Passes, type Target } from '../../lib/passes/index.js';
import type { Program } from '../../lib/program.js';

const net = graph({ data: input([3, 8, 8]) }, ({ data }) => {
  const conv = conv2d(data, { name: 'conv', filters: 8, kernel: 3 });
  return { conv, act: relu(conv, { name: 'act' }) };
});

const goal = (fetch: readonly Value[], gradients: readonly Value[] = []): Goal => ({
  batch: 2,
  phase: 'test',
  fetch,
  gradients,
  seeds: gradients.length ? [net.outputs.act] : [],
});
/** For a device that has no kernels of its own. */
const optimize = (program: Program, passes: Passes): Program =>
  optimizeFor(program, { passes, precision: 'float32', target: { kernels: new Set() } });
const kernels = (program: Program): string[] => program.steps.map((step) => step.kernel);

describe('passes', () => {
  it('fuse a ReLU into the convolution before it', () => {
    const { program } = lower(net, goal([net.outputs.act]));
    assert.deepEqual(kernels(optimize(program, 'none')), ['conv2d', 'relu']);
    const fused = optimize(program, 'all');
    assert.deepEqual(kernels(fused), ['conv2d']);
    assert.equal(fused.steps[0]!.attributes.relu, 1);
  });

  it('leave a ReLU alone when somebody wants what lies before it', () => {
    const { program } = lower(net, goal([net.outputs.conv, net.outputs.act]));
    assert.deepEqual(kernels(optimize(program, 'all')), ['conv2d', 'relu']);
  });

  it('leave a ReLU alone that sees the result under another shape', () => {
    const flat = graph({ data: input([3, 8, 8]) }, ({ data }) => ({
      act: relu(flatten(conv2d(data, { filters: 8, kernel: 3 }))),
    }));
    const { program } = lower(flat, goal([flat.outputs.act]));
    assert.deepEqual(kernels(optimize(program, 'all')), ['conv2d', 'relu']);
  });

  it('fuse it for training too: the gradient reads the sign of the result', () => {
    const { program } = lower(net, goal([net.outputs.act], [net.value('conv.weight')]));
    assert.deepEqual(kernels(optimize(program, 'all')), ['conv2d', 'relu_grad', 'conv2d_wgrad']);
  });

  it('fuse a clip from 0 on where kernels have a ceiling', () => {
    const clipped = (min: number, layer: (x: Value) => Value): Program => {
      const net = graph({ data: input([3, 8, 8]) }, ({ data }) => ({ act: clip(layer(data), { min, max: 6 }) }));
      return lower(net, goal([net.outputs.act])).program;
    };
    const conv = (x: Value): Value => conv2d(x, { filters: 8, kernel: 3 });
    const on = (target: Target, program: Program): Program =>
      optimizeFor(program, { passes: 'all', precision: 'float32', target });
    const ceilings: Target = { kernels: new Set(), ceilings: new Set(['conv2d']) };
    const fused = on(ceilings, clipped(0, conv));
    assert.deepEqual(kernels(fused), ['conv2d']);
    assert.deepEqual(fused.steps[0]!.attributes.relu, [1, 6]);
    assert.deepEqual(kernels(optimize(clipped(0, conv), 'all')), ['conv2d', 'clip']);
    assert.deepEqual(kernels(on(ceilings, clipped(-1, conv))), ['conv2d', 'clip']);
    assert.deepEqual(
      kernels(
        on(
          ceilings,
          clipped(0, (x) => dense(x, { units: 8 })),
        ),
      ),
      ['dense', 'clip'],
    );
  });

  it('compute no gradient that was not asked for', () => {
    const { program } = lower(net, goal([], [net.value('conv.weight')]));
    const wgrad = optimize(program, 'all').steps.find((step) => step.kernel === 'conv2d_wgrad')!;
    assert.equal(wgrad.outputs[1], undefined);
    assert.ok(!kernels(program).includes('conv2d_dgrad'));
    assert.ok(kernels(lower(net, goal([], [net.inputs.data])).program).includes('conv2d_dgrad'));
  });

  it('drop what nobody reads', () => {
    const { program } = lower(net, goal([net.outputs.conv]));
    assert.deepEqual(kernels(optimize(program, 'none')), ['conv2d']);
  });

  it('keep filters in the order of their kernel from run to run', () => {
    const { program } = lower(net, goal([net.outputs.act]));
    const { prologue, steps, refs } = optimizeFor(program, { passes: 'all', precision: 'float32' });
    assert.deepEqual(
      prologue.map((step) => step.kernel),
      ['conv2d_filters'],
    );
    assert.deepEqual(
      steps.map((step) => step.kernel),
      ['conv2d_packed'],
    );
    const [, filters] = steps[0]!.inputs;
    assert.equal(refs[filters!.id]!.place.kind, 'kept');
  });

  it('keep nothing where a run changes the parameters', () => {
    const trained = graph({ data: input([3, 8, 8]), label: input([]) }, ({ data, label }) => ({
      loss: softmaxLoss(flatten(conv2d(data, { filters: 8, kernel: 3 })), label),
    }));
    const update = { solver: sgd({ rate: 1 }), part: 'whole' } as const;
    const { program } = lower(trained, { ...goal([trained.outputs.loss]), phase: 'train', update });
    const { prologue, steps } = optimizeFor(program, { passes: 'all', precision: 'float32' });
    assert.deepEqual(prologue, []);
    assert.equal(steps[0]!.kernel, 'conv2d');
  });

  it('look for what is not finite before the commit, all at once where that costs less', () => {
    const trained = graph({ data: input([6]), label: input([]) }, ({ data, label }) => ({
      loss: softmaxLoss(dense(relu(dense(data, { units: 4 })), { units: 2 }), label),
    }));
    const update = { solver: sgd({ rate: 1 }), part: 'whole' } as const;
    const { program } = lower(trained, { ...goal([trained.outputs.loss]), phase: 'train', update });
    const looks = (target: Target): string[] =>
      kernels(optimizeFor(program, { passes: 'all', precision: 'float32', target }));
    const ending = (list: readonly string[]): readonly string[] => list.slice(list.indexOf('dense_dgrad'));
    assert.deepEqual(ending(looks(CPU)), [
      ...['dense_dgrad', 'dense_wgrad', 'non_finite_product', 'non_finite'],
      ...['relu_grad', 'dense_wgrad', 'non_finite_product', 'non_finite'],
      ...['sgd', 'sgd', 'sgd', 'sgd'],
    ]);
    assert.deepEqual(ending(looks(GPU)), [
      ...['dense_dgrad', 'dense_wgrad', 'relu_grad', 'dense_wgrad'],
      ...['non_finite', 'non_finite_product', 'non_finite', 'non_finite_product', 'non_finite'],
      ...['sgd', 'sgd', 'sgd', 'sgd'],
    ]);
  });
});
