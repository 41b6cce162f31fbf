import type { Program, Step } from '../program.js';
import { replaceKernels } from './replace.js';

/**
 * Convolutions of few channels and 5×5 taps, as first layers are, by Winograd's minimal filtering with tiles in lanes
 * (native/cpu/winograd_shallow.h): in half of the time of the direct ones.
 */
export function useShallow(program: Program): Program {
  return replaceKernels(program, KERNELS, isWorthPoints);
}

const KERNELS: Readonly<Record<string, string>> = {
  conv2d: 'conv2d_winograd_shallow',
  conv2d_wgrad: 'conv2d_winograd_shallow_wgrad',
};
const TAPS = 5;
/**
 * With fewer channels the direct sums are so short and right that Winograd's lose more than ten times as much, with more
 * a vector of tiles does not stay in the first-level cache.
 */
const [LEAST_CHANNELS, MOST_CHANNELS] = [3, 8];
/** Planes that the image's way to the points is shared by. */
const LEAST_FILTERS = 8;
/** Addends of a gradient's sums: as with channels, short ones are better direct. */
const LONG_SUM = 2 ** 15;
/** Outputs of a tile each way, tiles of the widest vector, and how much of them may lie outside of the features. */
const [OUTPUTS, LANES, WASTE] = [4, 16, 1.5];

function isWorthPoints({ kernel, inputs, outputs, attributes }: Step): boolean {
  const gradient = kernel === 'conv2d_wgrad';
  const [weight, features] = gradient ? [outputs[0], inputs[1]] : [inputs[1], outputs[0]];
  if (!weight || !features) return false;
  const [filters, channels, kernelH, kernelW] = weight.shape as [number, number, number, number];
  const [images, , height, width] = features.shape as [number, number, number, number];
  const { groups, strideH, strideW, dilationH, dilationW } = attributes;
  if (groups !== 1 || strideH !== 1 || strideW !== 1 || dilationH !== 1 || dilationW !== 1) return false;
  if (kernelH !== TAPS || kernelW !== TAPS || filters < LEAST_FILTERS) return false;
  if (channels < LEAST_CHANNELS || channels > MOST_CHANNELS) return false;
  if (gradient && images * height * width < LONG_SUM) return false;
  const tiles = Math.ceil(height / OUTPUTS) * Math.ceil(width / OUTPUTS);
  return Math.ceil(tiles / LANES) * LANES * OUTPUTS ** 2 <= WASTE * height * width;
}
