import type { Program, Ref, Step } from '../program.js';

/**
 * Convolutions of 3 to 5 taps each way by Winograd's minimal filtering, F(5×5, 3×3), F(4×4, 4×4), F(3×3, 5×5) and
 * F(4×4, 5×5), wherever it is the sooner done: forward, input gradient and filter gradient each by itself. With a stride,
 * the phases of the image are channels of a convolution without (native/cpu/winograd_phases.h), and it is the taps of a
 * phase that count.
 */
export function useWinograd(program: Program): Program {
  const refs = program.refs.slice();
  const filtersOf = (weight: Ref, conv: Conv, tile: number, step: Step): [Step, Ref] => {
    const shape = [tile ** 2 * pointStride(conv.groups * conv.channels * lanes(conv.filters))];
    const ref: Ref = { id: refs.length, shape, dtype: 'f32', place: { kind: 'work' }, label: `${step.label}.filters` };
    refs.push(ref);
    const { groups, stride } = conv;
    const attributes = { groups, stride, tile, backward: step.kernel === 'conv2d_dgrad' ? 1 : 0 };
    const { label } = step;
    return [{ kernel: 'winograd_filters', label, inputs: [weight], outputs: [ref], attributes, inPlace: false }, ref];
  };
  const changes = program.steps.some((step) => step.commits);
  const steps = program.steps.flatMap((step): Step[] => {
    const conv = convOf(step);
    const gradient = step.kernel === 'conv2d_wgrad';
    const tile = conv && soonest(conv, gradient, changes || gradient ? MAKE + FETCH : FETCH);
    if (!conv || !tile) return [step];
    const { groups, kernel: taps, stride, padH, padW } = conv;
    const shape = { groups, stride, tile, padH, padW };
    if (gradient) return [{ ...step, kernel: 'conv2d_winograd_wgrad', attributes: shape }];
    const [x, weight, bias] = step.inputs;
    const [transform, filters] = filtersOf(weight!, conv, tile, step);
    const relu = step.attributes.relu ?? 0;
    const attributes = { ...shape, kernel: taps, relu };
    const kernel = step.kernel === 'conv2d' ? 'conv2d_winograd' : 'conv2d_winograd_dgrad';
    return [transform, { ...step, kernel, inputs: [x, filters, bias], attributes }];
  });
  return { ...program, refs, steps };
}

/** A correlation as Winograd sees it; channels and filters are those of one group, channels and taps of the phases. */
interface Conv {
  readonly images: number;
  readonly groups: number;
  readonly channels: number;
  readonly filters: number;
  readonly height: number;
  readonly width: number;
  readonly taps: number;
  /** Taps of the filters as they are learned. */
  readonly kernel: number;
  readonly stride: number;
  readonly padH: number;
  readonly padW: number;
}

/** The step's convolution if Winograd's kernels can do it. */
function convOf({ kernel, inputs, outputs, attributes }: Step): Conv | undefined {
  const tensors = {
    conv2d: [inputs[0], inputs[1], outputs[0]],
    conv2d_dgrad: [inputs[0], inputs[1], outputs[0]],
    conv2d_wgrad: [inputs[0], outputs[0], inputs[1]],
  }[kernel];
  const [source, weight, output] = tensors ?? [];
  if (!source || !weight || !output) return undefined;
  const { groups, strideH, strideW, dilationH, dilationW, padH, padW } = attributes as Readonly<Record<string, number>>;
  const [, , kernelH, taps] = weight.shape as readonly [number, number, number, number];
  const stride = strideH!;
  const backward = kernel === 'conv2d_dgrad';
  const plain = stride === strideW && dilationH === 1 && dilationW === 1 && !(backward && stride > 1);
  if (!plain || kernelH !== taps || padH! >= taps || padW! >= taps) return undefined;
  const ofPhase = Math.ceil(taps / stride);
  if (ofPhase < 3 || ofPhase > 5) return undefined;
  // The gradient of the input reads the features through a frame that makes up for the image's.
  const pad = backward ? { padH: taps - 1 - padH!, padW: taps - 1 - padW! } : { padH, padW };
  return {
    images: source.shape[0]!,
    groups: groups!,
    channels: (source.shape[1]! / groups!) * stride ** 2,
    filters: output.shape[1]! / groups!,
    height: output.shape[2]!,
    width: output.shape[3]!,
    taps: ofPhase,
    kernel: taps,
    stride,
    padH: pad.padH!,
    padW: pad.padW!,
  };
}

/** Pixels of the tiles that a convolution may be cut into, each way. */
const tilesFor = (taps: number): readonly number[] => (taps === 5 ? [7, 8] : [7]);
/**
 * Tiles of 8 that a filter gradient may add up. They lose more to rounding than tiles of 7, the more the longer the sum:
 * over 3,136 of them, AlexNet's conv2 at batch 64, 9.4 times what direct convolution does (npm run bench -- --accuracy
 * --images 64), and no more than ten times is to be lost.
 */
const MOST_TILES = 8192;

// What a number costs, in multiply-adds at the machine's peak: measured on AVX-512 where a core does 32 FLOPs a cycle.
/** Of a source or output on its way to the points or back, and through the caches. */
const TRANSFORM = 20;
/** Of a filter at a point: fetched from memory and, where a run changes the parameters, made. */
const FETCH = 16;
const MAKE = 34;
/** Small products run at this part of the speed of large ones. */
const SPEED = 0.87;

/** The tile, in pixels each way, with the least products, transforms and filters together, if they cost less than the direct products. */
function soonest(conv: Conv, gradient: boolean, filter: number): number | undefined {
  const { images, groups, channels, filters, height, width, taps, kernel, stride } = conv;
  let least = images * height * width * groups * (channels / stride ** 2) * filters * kernel ** 2;
  let best: number | undefined;
  for (const tile of tilesFor(taps)) {
    const size = tile + 1 - taps;
    const count = images * Math.ceil(height / size) * Math.ceil(width / size);
    if (gradient && tile === 8 && count > MOST_TILES) continue;
    const perPoint =
      (count * channels * filters) / SPEED +
      count * (lanes(channels) + lanes(filters)) * TRANSFORM +
      channels * lanes(filters) * filter;
    const cost = tile ** 2 * groups * perPoint;
    if (cost >= least) continue;
    least = cost;
    best = tile;
  }
  return best;
}

/** Channels fill vectors: of 16 at most. */
const lanes = (channels: number): number => Math.ceil(channels / 16) * 16;

/** Floats of one point's filters, an odd number of cache lines. */
const pointStride = (floats: number): number => {
  const lines = Math.ceil(floats / 16);
  return 16 * (lines % 2 === 1 ? lines : lines + 1);
};
