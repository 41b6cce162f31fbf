/** One convolution as a net, by the kernels that passes take for it and by the direct ones. */
import assert from 'node:assert/strict';
import {
  clip,
  compile,
  conv2d,
  deconv2d,
  graph,
  input,
  relu,
  type Graph,
  type Precision,
  type Tensor,
} from '../../lib/index.js';
import { lower } from '../../lib/lower.js';
import { optimize, type Passes } from '../../lib/passes/index.js';
import type { Step } from '../../lib/program.js';
import { random } from './ops.js';

export interface Case {
  readonly images: number;
  readonly groups: number;
  readonly channels: number;
  readonly filters: number;
  readonly extent: readonly [number, number];
  readonly taps: number | readonly [number, number];
  readonly stride?: number | readonly [number, number];
  readonly dilation?: number;
  readonly pad: readonly [number, number];
  readonly bias: boolean;
  readonly seed: number;
}

function netOf({
  groups,
  channels,
  filters,
  extent,
  taps,
  stride = 1,
  pad,
  dilation = 1,
  bias,
  images,
}: Case): Graph<'x', 'y'> {
  return graph(
    { x: input([groups * channels, ...extent]) },
    // Without a ReLU, whose slope jumps where the two algorithms round to different sides of zero.
    ({ x }) => ({
      y: conv2d(x, { name: 'conv', filters: groups * filters, kernel: taps, stride, pad, dilation, groups, bias }),
    }),
    { batch: images },
  );
}

/** The result, and the gradients of everything that goes in. */
export async function run(one: Case, passes: Passes, threads = 2): Promise<Tensor[]> {
  const net = netOf(one);
  const { images, groups, channels, filters, extent, seed } = one;
  const model = await compile(net, { passes, threads });
  try {
    await model.load({ 'conv.weight': random(net.parameters[0]!.shape, seed + 1) });
    if (one.bias) await model.load({ 'conv.bias': random([groups * filters], seed + 2) });
    const x = random([images, groups * channels, ...extent], seed);
    const dy = random([images, ...net.outputs.y.shape.slice(1)], seed + 3);
    const of = ['x', ...net.parameters.map((p) => p.name)];
    const { outputs, gradients } = await model.backward({ x }, { of, from: { [net.outputs.y.name]: dy } });
    return [outputs.y, ...of.map((name) => gradients[name]!)];
  } finally {
    model.dispose();
  }
}

/** What a deconvolution gives, its input gradient, and the kernels that made them. */
export async function deconvolve(
  { channels, ...options }: Omit<Parameters<typeof deconv2d>[1], 'name'> & { readonly channels: number },
  passes: Passes,
): Promise<{ readonly tensors: Tensor[]; readonly kernels: string[] }> {
  const net = graph({ x: input([channels, 30, 31]) }, ({ x }) => ({ y: deconv2d(x, { ...options, name: 'up' }) }));
  await using model = await compile(net, { batch: 2, passes });
  await model.load({ 'up.weight': random(net.parameters[0]!.shape, 1) });
  const [x, dy] = [random([2, channels, 30, 31], 2), random([2, ...net.outputs.y.shape.slice(1)], 3)];
  const goal = { of: ['x'], from: { up: dy } };
  const { outputs, gradients } = await model.backward({ x }, goal);
  const kernels = (await model.profile({ x }, goal)).map((step) => step.kernel);
  return { tensors: [outputs.y, gradients.x!], kernels };
}

/** A ReLU or a ceiling that goes with a convolution of images (n, c, h, w) is that of what it gives without. */
export async function assertRectifies(
  shape: readonly [number, number, number, number],
  options: Omit<Parameters<typeof conv2d>[1], 'name'>,
  precision: Precision = 'float32',
): Promise<void> {
  const [batch, ...image] = shape;
  const most = 0.25;
  const net = graph({ x: input(image) }, ({ x }) => {
    const conv = conv2d(x, { ...options, name: 'conv' });
    return { conv, act: relu(conv, { name: 'act' }), capped: clip(conv, { name: 'capped', min: 0, max: most }) };
  });
  const model = await compile(net, { batch, precision });
  try {
    const x = random(shape, 1);
    const { conv } = await model.forward({ x }, { fetch: ['conv'] });
    const { act } = await model.forward({ x }, { fetch: ['act'] });
    const { capped } = await model.forward({ x }, { fetch: ['capped'] });
    const above = conv.data.map((v) => Math.max(v, 0));
    assert.deepEqual(act.data, above);
    assert.deepEqual(
      capped.data,
      above.map((v) => Math.min(v, most)),
    );
    const fused = model.device.target.ceilings ? (['act', 'capped'] as const) : (['act'] as const);
    for (const what of fused) {
      const profile = await model.profile({ x }, { fetch: [what] });
      assert.ok(!profile.some(({ kernel }) => kernel === 'relu' || kernel === 'clip'));
    }
  } finally {
    model.dispose();
  }
}

export const kernels = (one: Case): string[] => steps(one).map((step) => step.kernel);

export function steps(one: Case): readonly Step[] {
  const net = netOf(one);
  const gradients = [net.inputs.x, net.value('conv.weight')];
  const { program } = lower(net, {
    batch: one.images,
    phase: 'train',
    fetch: [net.outputs.y],
    gradients,
    seeds: [net.outputs.y],
  });
  const { prologue, steps } = optimize(program, { passes: 'all', precision: 'float32' });
  return [...prologue, ...steps];
}
