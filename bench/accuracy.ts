import { compile, conv2d, graph, input, Random, type Graph, type Tensor } from '../lib/index.js';
import type { Passes } from '../lib/passes/index.js';
import { align } from '../lib/table.js';

/** Convolutions that have two algorithms: AlexNet's, and those of the CIFAR-10 nets. */
const LAYERS: readonly Layer[] = [
  { name: 'conv1', groups: 1, channels: 3, filters: 96, size: 227, taps: 11, stride: 4, pad: 0 },
  { name: 'conv2', groups: 2, channels: 48, filters: 128, size: 27, taps: 5, stride: 1, pad: 2 },
  { name: 'conv3', groups: 1, channels: 256, filters: 384, size: 13, taps: 3, stride: 1, pad: 1 },
  { name: 'conv4', groups: 2, channels: 192, filters: 192, size: 13, taps: 3, stride: 1, pad: 1 },
  { name: 'conv5', groups: 2, channels: 192, filters: 128, size: 13, taps: 3, stride: 1, pad: 1 },
  // A gradient of fewer images has one algorithm.
  { name: 'cifar conv1', groups: 1, channels: 3, filters: 32, size: 32, taps: 5, stride: 1, pad: 2, times: 4 },
  { name: 'cifar conv2', groups: 1, channels: 32, filters: 32, size: 16, taps: 5, stride: 1, pad: 2 },
  { name: 'cifar conv3', groups: 1, channels: 32, filters: 64, size: 8, taps: 5, stride: 1, pad: 2 },
];

interface Layer {
  readonly name: string;
  readonly groups: number;
  readonly channels: number;
  readonly filters: number;
  readonly size: number;
  readonly taps: number;
  readonly stride: number;
  readonly pad: number;
  /** As many images as of the other layers, this many times. */
  readonly times?: number;
}

const SAMPLES = 1024;
const PASSES = ['forward', 'dgrad', 'wgrad'] as const;

interface Tensors {
  readonly images: number;
  readonly x: Float32Array;
  readonly weight: Float32Array;
  readonly dy: Float32Array;
}

/**
 * Root mean square error against double precision, relative to the root mean square of the result, of both algorithms: the
 * direct one, which `passes: 'none'` takes, and Winograd's, over that many images.
 */
export async function formatAccuracy(batch: number): Promise<string> {
  const rows: string[][] = [];
  for (const layer of LAYERS) {
    const images = batch * (layer.times ?? 1);
    const isFirst = layer.channels === 3;
    const net = graph({ x: input([layer.groups * layer.channels, layer.size, layer.size]) }, ({ x }) => ({
      y: conv2d(x, {
        ...layer,
        name: 'conv',
        filters: layer.groups * layer.filters,
        kernel: layer.taps,
        bias: false,
      }),
    }));
    const uniform = (seed: number, length: number, least = -1): Float32Array => {
      const random = new Random(seed);
      return Float32Array.from({ length }, () => Math.max(least, random.uniform(-1, 1)));
    };
    const tensors = {
      images,
      // A picture without its mean, or what a ReLU leaves.
      x: uniform(1, images * layer.groups * layer.channels * layer.size ** 2, isFirst ? -1 : 0),
      weight: uniform(2, layer.groups * layer.filters * layer.channels * layer.taps ** 2),
      dy: uniform(3, images * layer.groups * layer.filters * featuresOf(layer) ** 2),
    };
    const [direct, winograd] = [await results(net, tensors, 'none'), await results(net, tensors, 'all')];
    PASSES.forEach((pass, i) => {
      // The input gradient of a first layer has one algorithm.
      if (pass === 'dgrad' && isFirst) return;
      const sampled = samples(direct[i]!.data.length);
      const exact = sampled.map((at) => element(layer, tensors, pass, at));
      const [plain, fast] = [direct, winograd].map((all) =>
        error(
          sampled.map((at) => all[i]!.data[at]!),
          exact,
        ),
      ) as [number, number];
      rows.push([layer.name, pass, plain.toExponential(2), fast.toExponential(2), `${(fast / plain).toFixed(1)} x`]);
    });
  }
  return align([['layer', 'pass', 'direct', 'Winograd', 'ratio'], ...rows], 2);
}

async function results(net: Graph<'x', 'y'>, { images, x, weight, dy }: Tensors, passes: Passes): Promise<Tensor[]> {
  const model = await compile(net, { batch: images, passes });
  try {
    await model.load({ 'conv.weight': weight });
    const of = ['x', 'conv.weight'];
    const { outputs, gradients } = await model.backward({ x }, { of, from: { [net.outputs.y.name]: dy } });
    return [outputs.y, gradients.x!, gradients['conv.weight']!];
  } finally {
    model.dispose();
  }
}

/** Positions all over a tensor: edges of maps and of tiles as often as they come. */
function samples(length: number): number[] {
  const random = new Random(4);
  return Array.from({ length: SAMPLES }, () => random.below(length));
}

function error(got: readonly number[], want: readonly number[]): number {
  const square = (values: readonly number[]): number => values.reduce((sum, v) => sum + v * v, 0);
  return Math.sqrt(square(got.map((v, i) => v - want[i]!)) / square(want));
}

/** Rows of the result, and columns. */
const featuresOf = ({ size, taps, stride, pad }: Layer): number => (size + 2 * pad - taps) / stride + 1;

/** One element of a result, summed in double precision. */
function element(layer: Layer, { images, x, weight, dy }: Tensors, pass: (typeof PASSES)[number], at: number): number {
  const { groups, channels, filters, size, taps, stride, pad } = layer;
  const side = featuresOf(layer);
  /** Zero outside the image, and in its frame. */
  const imageAt = (n: number, c: number, h: number, w: number): number =>
    h >= 0 && h < size && w >= 0 && w < size ? x[((n * groups * channels + c) * size + h) * size + w]! : 0;
  /** Zero outside the features. */
  const slopeAt = (n: number, k: number, h: number, w: number): number =>
    h >= 0 && h < side && w >= 0 && w < side ? dy[((n * groups * filters + k) * side + h) * side + w]! : 0;
  const weightAt = (k: number, c: number, tap: number): number => weight[(k * channels + c) * taps * taps + tap]!;
  const shift = (tap: number): [number, number] => [Math.floor(tap / taps) - pad, (tap % taps) - pad];
  let sum = 0;
  if (pass === 'wgrad') {
    const c = Math.floor(at / taps ** 2) % channels;
    const k = Math.floor(at / taps ** 2 / channels);
    const [dh, dw] = shift(at % (taps * taps));
    const from = Math.floor(k / filters) * channels + c;
    for (let n = 0; n < images; n++)
      for (let h = 0; h < side; h++)
        for (let w = 0; w < side; w++) sum += slopeAt(n, k, h, w) * imageAt(n, from, h * stride + dh, w * stride + dw);
    return sum;
  }
  const forward = pass === 'forward';
  const [extent, maps] = forward ? [side, filters] : [size, channels];
  const [w, h] = [at % extent, Math.floor(at / extent) % extent];
  const own = Math.floor(at / extent ** 2) % (groups * maps);
  const n = Math.floor(at / extent ** 2 / (groups * maps));
  const group = Math.floor(own / maps);
  for (let i = 0; i < (forward ? channels : filters); i++)
    for (let tap = 0; tap < taps * taps; tap++) {
      const [dh, dw] = shift(tap);
      sum += forward
        ? imageAt(n, group * channels + i, h * stride + dh, w * stride + dw) * weightAt(own, i, tap)
        : slopeAt(n, group * filters + i, h - dh, w - dw) * weightAt(group * filters + i, own % channels, tap);
    }
  return sum;
}
