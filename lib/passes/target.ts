import type { DType } from '../program.js';
import { inPixels, inPlanes, type LrnPool } from './lrn-pool.js';
import type { Precision } from './precision.js';

/** What a device can do beyond the kernels that every device has: passes read this, and never ask which device it is. */
export interface Target {
  /** Kernels that a pass may put in place of others. */
  readonly kernels: ReadonlySet<string>;
  /** Kernels that, when they apply a ReLU, can hold their results under a ceiling, too; absent where none does. */
  readonly ceilings?: ReadonlySet<string>;
  /** Kernels that take values and gradients of 16 bits; absent where none does. The others have conversions around them. */
  readonly halves?: ReadonlyMap<string, HalfSlots>;
  /** Kernels that take images with channels last; absent where none does. The others have conversions around them. */
  readonly layouts?: ReadonlyMap<string, Layouts>;
  /** Normalisations with the max pooling behind them that are one kernel; absent where none are. */
  readonly lrnPool?: LrnPool;
  /** Precisions in which pixels become channels where that is less to multiply, and how; absent where they never do. */
  readonly depth?: ReadonlyMap<Precision, Depth>;
  /** Absent where no kernel writes copies. */
  readonly updates?: Updates;
  /** Kernels whose calls cost less one behind the other. */
  readonly together?: ReadonlySet<string>;
}

/** How convolutions take images and filters whose pixels have become channels (depth.ts). */
export interface Depth {
  readonly dtype: DType;
  readonly channelsLast: boolean;
  /** So many channels are read at once: others are filled up with zeros. */
  readonly together: number;
  /** So many times fewer multiplications where 3 to 5 taps each way are left, by Winograd's points; absent where none. */
  readonly points?: number;
}

/**
 * Kernels that change a parameter, their first output, and write as their last ones up to `copies` of what `convert` or
 * `space_to_depth` makes of it, of which their attribute `blocks` says how many taps (height, width) are channels of one.
 */
export interface Updates {
  readonly kernels: ReadonlySet<string>;
  readonly copies: number;
}

/**
 * How a kernel takes images with channels last: all images of a step `alike`, or `any`, each as it is. A convolution takes
 * any, and is what wants channels last: it brings there itself what is not.
 */
export type Layouts = 'alike' | 'any' | 'convolution';

/** Which of a kernel's float32 tensors may be of 16 bits. */
export interface HalfSlots {
  readonly inputs: readonly number[] | 'all';
  readonly outputs: readonly number[] | 'all';
  /** Makes gradients, of the gradient that input 0 is and of values. */
  readonly gradient: boolean;
  /** Takes each tensor in a type of its own; the others want one type, or one for the gradients and one for the values. */
  readonly product: boolean;
  /** Types in which input 1, a weight, may be where input 0 is of 16 bits. */
  readonly weights?: readonly DType[];
}

/** Only what every device has. */
export const PLAIN: Target = { kernels: new Set() };

/** native/cpu/list.h. */
export const CPU: Target = {
  kernels: new Set([
    ...['conv2d_filters', 'conv2d_packed', 'conv2d_bf16', 'conv2d_bf16_filters', 'conv2d_bf16_wgrad'],
    ...['conv2d_rows', 'conv2d_rows_wgrad'],
    ...['conv2d_depthwise', 'conv2d_depthwise_dgrad', 'conv2d_depthwise_wgrad'],
    ...['deconv2d_depthwise', 'deconv2d_depthwise_dgrad'],
    ...['conv2d_flat', 'conv2d_flat_dgrad', 'conv2d_flat_wgrad', 'deconv2d_flat', 'deconv2d_flat_dgrad'],
    ...['conv2d_pointwise', 'conv2d_pointwise_dgrad'],
    ...['conv2d_winograd_shallow', 'conv2d_winograd_shallow_wgrad'],
    ...['dense_bf16', 'dense_bf16_dgrad', 'dense_bf16_wgrad', 'to_bf16'],
    ...['dense_int8', 'to_int8'],
    ...['lrn_maxPool', 'lrn_maxPool_grad'],
    'non_finite_product',
    ...['winograd_filters', 'conv2d_winograd', 'conv2d_winograd_dgrad', 'conv2d_winograd_wgrad'],
  ]),
  ceilings: new Set(['conv2d', 'deconv2d']),
  lrnPool: inPlanes,
};

const product = (gradient: boolean, weights: readonly DType[]): HalfSlots => ({
  inputs: [0],
  outputs: [0],
  gradient,
  product: true,
  weights,
});
const wgrad: HalfSlots = { inputs: [0, 1], outputs: [], gradient: true, product: true };
const each = (gradient: boolean): HalfSlots => ({ inputs: 'all', outputs: 'all', gradient, product: false });

/** Functions of elements and windows; each has a gradient of its name. */
const FUNCTIONS = [
  ...['relu', 'sigmoid', 'tanh', 'elu', 'abs', 'exp', 'log', 'power', 'bnll', 'swish'],
  ...['lrn', 'lrn_within', 'averagePool', 'eltwise_prod', 'eltwise_max', 'crop'],
];

const CONVOLUTIONS = ['conv2d', 'deconv2d'];
/** In float16 a weight is brought to where the sums fit, which wants all its digits: native/cuda/half_scales.h. */
const FILTERS = ['bf16'] as const satisfies readonly DType[];
const WEIGHTS = ['bf16', 'f16'] as const satisfies readonly DType[];
/** What joins tensors, cuts them or drops elements, both ways. */
const BOTH_WAYS = ['sum', 'dropout', 'concat', 'slice'];

/** Steps of this folder's own, which take a tensor as it is. */
const CONVERSIONS = ['convert', 'space_to_depth', 'depth_to_space'];

/**
 * native/cuda/list.h; native/cuda/stored.h: kernels by the types of their tensors; kLayouts of each: kernels by the order of
 * their elements.
 */
export const GPU: Target = {
  kernels: new Set([
    ...CONVERSIONS,
    'non_finite_product',
    ...['lrn_maxPool', 'lrn_maxPool_grad'],
    ...['averagePool_relu_grad', 'lrn_relu_grad', 'maxPool_relu_grad'],
  ]),
  lrnPool: inPixels,
  halves: new Map<string, HalfSlots>([
    ...CONVOLUTIONS.flatMap((name): [string, HalfSlots][] => [
      [name, product(false, FILTERS)],
      [`${name}_dgrad`, product(true, FILTERS)],
      [`${name}_wgrad`, wgrad],
    ]),
    ['dense', product(false, WEIGHTS)],
    ['dense_dgrad', product(true, WEIGHTS)],
    ['dense_wgrad', wgrad],
    ...['softmaxLoss_grad', 'infogainLoss_grad'].map((name): [string, HalfSlots] => [
      name,
      { ...wgrad, inputs: [], outputs: [0] },
    ]),
    ...FUNCTIONS.flatMap((name): [string, HalfSlots][] => [
      [name, each(false)],
      [`${name}_grad`, each(true)],
    ]),
    // Its second result has numbers of pixels, which need all digits.
    ['maxPool', { ...each(false), outputs: [0] }],
    ['maxPool_grad', each(true)],
    ...BOTH_WAYS.map((name): [string, HalfSlots] => [name, each(false)]),
    ...CONVERSIONS.map((name): [string, HalfSlots] => [
      name,
      { inputs: [0], outputs: [], gradient: false, product: true },
    ]),
  ]),
  layouts: new Map<string, Layouts>([
    ...CONVOLUTIONS.flatMap((name) => [name, `${name}_dgrad`, `${name}_wgrad`]).map((name): [string, Layouts] => [
      name,
      'convolution',
    ]),
    ...CONVERSIONS.map((name): [string, Layouts] => [name, 'any']),
    ...[...FUNCTIONS.filter((name) => name !== 'crop'), 'maxPool']
      .flatMap((name) => [name, `${name}_grad`])
      .concat(BOTH_WAYS)
      .map((name): [string, Layouts] => [name, 'alike']),
  ]),
  depth: new Map<Precision, Depth>([
    // native/cuda/winograd.h.
    ['float32', { dtype: 'f32', channelsLast: false, together: 1, points: 4 }],
    ['tf32', { dtype: 'f32', channelsLast: true, together: 8 }],
    ['bfloat16', { dtype: 'bf16', channelsLast: true, together: 8 }],
    // Brought to where sums fit, in the convolution, as all images are: native/cuda/half_scales.h.
    ['float16', { dtype: 'f32', channelsLast: true, together: 8 }],
  ]),
  // native/cuda/solvers.cu.
  updates: {
    kernels: new Set(['sgd', 'nesterov', 'adagrad', 'rmsprop', 'adadelta', 'adam', 'adamW']),
    copies: 2,
  },
  // native/cuda/non_finite.h.
  together: new Set(['non_finite']),
};
