import type { Program, Ref, Step } from '../program.js';

/**
 * Convolutions of 3 to 5 taps each way by Winograd's minimal filtering, F(5×5, 3×3), F(4×4, 4×4), F(3×3, 5×5) and
 * F(4×4, 5×5), wherever it is the sooner done: forward, input gradient and filter gradient each by itself. With a stride,
 * the phases of the image are channels of a convolution without (native/cpu/winograd_phases.h), and it is the taps of a
 * phase that count.
 */
export function useWinograd(program: Program): Program {
  const refs = program.refs.slice();
  const filtersOf = (weight: Ref, conv: Conv, { tile, few }: Way, step: Step): [Step, Ref] => {
    const floats = conv.groups * conv.channels * lanes(conv.filters);
    const shape = [few ? tile * conv.taps * floats : tile ** 2 * pointStride(floats)];
    const ref: Ref = { id: refs.length, shape, dtype: 'f32', place: { kind: 'work' }, label: `${step.label}.filters` };
    refs.push(ref);
    const { groups, stride } = conv;
    const attributes = { groups, stride, tile, few: Number(few), backward: step.kernel === 'conv2d_dgrad' ? 1 : 0 };
    const { label } = step;
    return [{ kernel: 'winograd_filters', label, inputs: [weight], outputs: [ref], attributes, inPlace: false }, ref];
  };
  const changes = program.steps.some((step) => step.commits);
  const steps = program.steps.flatMap((step): Step[] => {
    const conv = convOf(step);
    const gradient = step.kernel === 'conv2d_wgrad';
    const way = conv && soonest(conv, gradient, changes);
    if (!conv || !way) return [step];
    const { groups, kernel: taps, stride, padH, padW } = conv;
    const shape = { groups, stride, tile: way.tile, padH, padW };
    if (gradient) return [{ ...step, kernel: 'conv2d_winograd_wgrad', attributes: shape }];
    const [x, weight, bias] = step.inputs;
    const [transform, filters] = filtersOf(weight!, conv, way, step);
    const relu = step.attributes.relu ?? 0;
    const attributes = { ...shape, few: Number(way.few), kernel: taps, relu };
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

/** How a convolution is done. */
interface Way {
  /** Pixels of a tile each way. */
  readonly tile: number;
  /**
   * Whether its tiles are so few that they would wait for filters at the tile's points. Those of their rows are made on
   * the way, then, of 3 taps that lie at the points of their columns (native/cpu/winograd_few.h).
   */
  readonly few: boolean;
}

/** The ways that there are to do a convolution, or a filter gradient, of so many taps each way. */
function waysFor(taps: number, gradient: boolean): readonly Way[] {
  const ways = [{ tile: 7, few: false }];
  if (taps === 5) ways.push({ tile: 8, few: false });
  if (taps === 3 && !gradient) ways.push({ tile: 7, few: true });
  return ways;
}

/**
 * Tiles of 8 that a filter gradient may add up. They lose more to rounding than tiles of 7, the more the longer the sum:
 * over 3,136 of them, AlexNet's conv2 at batch 64, 9.4 times what direct convolution does (npm run bench -- --accuracy
 * --images 64), and no more than ten times is to be lost.
 */
const MOST_TILES = 8192;

// What a number costs, in multiply-adds at the machine's peak: measured on AVX-512 where a core does 32 FLOPs a cycle.
/** Of a source or output on its way to the points or back, and through the caches. */
const TRANSFORM = 20;
/** Of a filter at a point: fetched from memory while products are made and, where a run changes the parameters, made. */
const FETCH = 16;
const MAKE = 34;
/** Small products run at this part of the speed of large ones, and those that make filters on the way at this. */
const SPEED = 0.87;
const SPEED_FEW = 0.78;

/** The way with the least products, transforms and filters together, if they cost less than the direct products. */
function soonest(conv: Conv, gradient: boolean, changes: boolean): Way | undefined {
  const { images, groups, channels, filters, height, width, taps, kernel, stride } = conv;
  let least = images * height * width * groups * (channels / stride ** 2) * filters * kernel ** 2;
  let best: Way | undefined;
  for (const way of waysFor(taps, gradient)) {
    const { tile, few } = way;
    const size = tile + 1 - taps;
    const count = images * Math.ceil(height / size) * Math.ceil(width / size);
    if (gradient && tile === 8 && count > MOST_TILES) continue;
    const stored = few ? taps / tile : 1;
    const product = count / (few ? SPEED_FEW : SPEED);
    const filter = gradient
      ? product + FETCH + MAKE
      : Math.max(product, FETCH * stored) + (changes ? MAKE * stored : 0);
    const perPoint = channels * lanes(filters) * filter + count * (lanes(channels) + lanes(filters)) * TRANSFORM;
    const cost = tile ** 2 * groups * perPoint;
    if (cost >= least) continue;
    least = cost;
    best = way;
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
