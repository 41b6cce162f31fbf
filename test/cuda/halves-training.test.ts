/** Nets that learn with tensors of 16 bits between their layers. */
import assert from 'node:assert/strict';
import {
  adadelta,
  adagrad,
  adam,
  adamW,
  compile,
  conv2d,
  dense,
  dropout,
  exp,
  graph,
  input,
  lrn,
  maxPool,
  nesterov,
  relu,
  rmsprop,
  sgd,
  softmaxLoss,
  type Tensor,
} from '../../lib/index.js';
import { labels, noise } from '../support/nets.js';
import { needsSimulation } from '../support/simulation.js';

type Halves = 'bfloat16' | 'float16';
const feeds = (tensors: Readonly<Record<string, Tensor>>): Record<string, Float32Array> =>
  Object.fromEntries(Object.entries(tensors).map(([name, { data }]) => [name, data]));

describe('training in 16 bits', function () {
  this.timeout(600_000);
  before(needsSimulation);

  /** AlexNet's layers with few channels: two groups, LRN, overlapping pooling, dropout. */
  const small = graph({ data: input([3, 19, 19]), label: input([]) }, ({ data, label }) => {
    const conv1 = relu(conv2d(data, { name: 'conv1', filters: 8, kernel: 5, stride: 2 }));
    const norm1 = maxPool(lrn(conv1, { localSize: 5, alpha: 1e-4 }), { kernel: 3, stride: 2 });
    const conv2 = relu(conv2d(norm1, { name: 'conv2', filters: 12, kernel: 3, pad: 1, groups: 2 }));
    const pool5 = maxPool(conv2, { kernel: 3, stride: 2 });
    const fc6 = dropout(relu(dense(pool5, { name: 'fc6', units: 32 })), { ratio: 0.2 });
    return { loss: softmaxLoss(dense(fc6, { name: 'fc8', units: 4 }), label) };
  });

  interface Training {
    readonly losses: readonly number[];
    readonly weights: readonly number[];
    readonly bytes: number;
  }

  async function train(device: string, precision: 'float32' | Halves): Promise<Training> {
    const solver = sgd({ rate: 0.05, momentum: 0.9 });
    await using model = await compile(small, { device, precision, batch: 8, seed: 3, solver });
    const inputs = { data: noise([8, 3, 19, 19], 1).data, label: labels(8, 4).data };
    const losses = [];
    for (let i = 0; i < 15; i++) losses.push((await model.step(inputs)).loss);
    const weights = Object.values(await model.weights()).flatMap(({ data }) => [...data]);
    return { losses, weights, bytes: model.memoryUsage().work };
  }

  it('is that of a small AlexNet in float32, in less memory, to the same bits every time', async () => {
    const whole = await train('cpu', 'float32');
    const { bytes } = await train('cuda-sim', 'float32');
    assert.ok(whole.losses.at(-1)! < 0.5 * whole.losses[0]!, whole.losses.join());
    for (const precision of ['bfloat16', 'float16'] as const) {
      const half = await train('cuda-sim', precision);
      assert.ok(half.bytes < 0.95 * bytes, `${half.bytes} of ${bytes} bytes`);
      assert.ok(half.losses.at(-1)! < 0.5 * half.losses[0]!, `${precision}: ${half.losses.join()}`);
      half.losses.slice(0, 5).forEach((loss, i) => {
        assert.ok(Math.abs(loss - whole.losses[i]!) < 0.05, `${precision}: step ${i}: ${loss}, ${whole.losses[i]}`);
      });
      assert.deepEqual(await train('cuda-sim', precision), half);
    }
  });

  /**
   * Convolutions whose filters have channels last, taps that are channels, filled up and not, a weight of an odd number of elements; each product
   * reads its copy.
   */
  const copied = graph({ data: input([3, 11, 10]), label: input([]) }, ({ data, label }) => {
    const conv0 = relu(conv2d(data, { name: 'conv0', filters: 5, kernel: 3, stride: 2 }));
    const conv1 = relu(conv2d(conv0, { name: 'conv1', filters: 12, kernel: 2 }));
    const conv2 = conv2d(conv1, { name: 'conv2', filters: 16, kernel: 2 });
    const conv3 = conv2d(conv2, { name: 'conv3', filters: 8, kernel: 2, groups: 2 });
    const hidden = relu(dense(conv3, { name: 'ip1', units: 9 }));
    return { loss: softmaxLoss(dense(dense(hidden, { name: 'ip2', units: 5 }), { name: 'ip3', units: 3 }), label) };
  });
  const solvers = {
    sgd: sgd({ rate: 0.1, momentum: 0.9, iterSize: 2 }),
    nesterov: nesterov({ rate: 0.1, momentum: 0.9 }),
    adagrad: adagrad({ rate: 0.02 }),
    rmsprop: rmsprop({ rate: 0.01 }),
    adadelta: adadelta({ rate: 10 }),
    adam: adam({ rate: 0.01, clip: 1 }),
    adamW: adamW({ rate: 0.01 }),
  };

  for (const [name, solver] of Object.entries(solvers)) {
    it(`has ${name} write beside the weights what is made of the weights`, async () => {
      const inputs = { data: noise([3, 3, 11, 10], 1).data, label: labels(3, 3).data };
      const follow = async (precision: Halves, again: boolean): Promise<unknown> => {
        await using model = await compile(copied, { device: 'cuda-sim', precision, batch: 3, seed: 3, solver });
        const losses = [];
        for (let i = 0; i < 4; i++) {
          losses.push((await model.step(inputs)).loss);
          if (i === 1) losses.push((await model.forward(inputs)).loss.data[0]);
          // Loaded weights are converted anew.
          if (again) await model.load(feeds(await model.weights()));
        }
        return { losses, weights: await model.weights() };
      };
      for (const precision of ['bfloat16', 'float16'] as const)
        assert.deepEqual(await follow(precision, false), await follow(precision, true));
    });
  }

  it('tells where what is not finite begins', async () => {
    const net = graph({ x: input([4]) }, ({ x }) => ({
      y: dense(exp(dense(x, { name: 'in', units: 4 }), { name: 'large' }), { name: 'out', units: 2 }),
    }));
    const weights = { 'in.weight': new Float32Array(16).fill(4), 'out.weight': new Float32Array(8).fill(1) };
    const code = async (precision: 'float32' | Halves): Promise<string> => {
      await using model = await compile(net, { device: 'cuda-sim', precision, weights });
      const run = model.forward({ x: [1, 1, 1, 1] }, { checkFinite: true });
      return await run.then(
        () => 'finite',
        (error: unknown) => String(error),
      );
    };
    assert.equal(await code('float32'), 'finite');
    assert.equal(await code('bfloat16'), 'finite');
    assert.match(await code('float16'), /large/, 'e^16 is more than 65504');
  });
});
