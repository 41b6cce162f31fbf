import type { Program, Step } from '../program.js';
import { replaceKernels } from './replace.js';

/**
 * Convolutions of few taps on long rows: with pixels in lanes, sums and features need not be turned round, which costs a
 * good part of so few products. Forward, the sums are the same to the bit.
 */
export function useRows(program: Program): Program {
  return replaceKernels(program, KERNELS, isWorthRows);
}

const KERNELS: Readonly<Record<string, string>> = { conv2d: 'conv2d_rows', conv2d_wgrad: 'conv2d_rows_wgrad' };
/** Products of a result for which turning it round weighs. */
const FEW_TAPS = 128;
/** Numbers of an image with its frame that leave features room in the first-level cache. */
const SMALL_IMAGE = 8192;
/** Lanes of the widest vectors, and the part of them that rows must fill. */
const [LANES, FULL] = [16, 0.75];

/** Whether pixels in lanes pay, for some filters of a group at least: those share what is read. */
export function isWorthRows({ kernel, inputs, outputs, attributes }: Step): boolean {
  const gradient = kernel === 'conv2d_wgrad';
  const [weight, features] = gradient ? [outputs[0], inputs[1]] : [inputs[1], outputs[0]];
  if (!weight || !features) return false;
  const [, channels, kernelH, kernelW] = weight.shape as [number, number, number, number];
  const [, filters, height, width] = features.shape as [number, number, number, number];
  const { groups, strideH, strideW, dilationH, dilationW } = attributes as Readonly<Record<string, number>>;
  if (filters === groups || (!gradient && kernelH * kernelW === 1)) return false;
  if (strideH !== 1 || strideW !== 1 || channels * kernelH * kernelW > FEW_TAPS) return false;
  if (width < FULL * LANES * Math.ceil(width / LANES)) return false;
  const image = channels * (height + kernelH - 1) * (width + kernelW - 1);
  return !gradient || (dilationH === 1 && dilationW === 1 && image <= SMALL_IMAGE);
}
