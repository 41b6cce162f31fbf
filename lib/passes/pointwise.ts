import type { Program, Step } from '../program.js';
import { replaceKernels } from './replace.js';

/** Convolutions of 1 × 1 taps and their input gradients as products of matrices, where those are large. */
export function usePointwise(program: Program): Program {
  return replaceKernels(program, KERNELS, isWorthPointwise);
}

const KERNELS: Readonly<Record<string, string>> = {
  conv2d: 'conv2d_pointwise',
  conv2d_dgrad: 'conv2d_pointwise_dgrad',
};
/** Sums that are long and planes that are many enough to pay for packing the image. */
const [DEPTH, PLANES] = [16, 24];
/** Pixels, of all images, that fill panels. Backward, where weights would be turned round, fewer do. */
const [PIXELS, PIXELS_BACKWARD] = [128, 32];

function isWorthPointwise({ kernel, inputs, outputs, attributes }: Step): boolean {
  const backward = kernel === 'conv2d_dgrad';
  const [source, weight] = inputs;
  const { groups, padH, padW } = attributes as Readonly<Record<string, number>>;
  if (weight?.shape[2] !== 1 || weight.shape[3] !== 1 || padH !== 0 || padW !== 0) return false;
  const [images, , height, width] = (backward ? source! : outputs[0]!).shape as [number, number, number, number];
  const [channels, planes] = [source!.shape[1]! / groups!, outputs[0]!.shape[1]! / groups!];
  const pixels = images * height * width;
  return channels >= DEPTH && planes >= PLANES && pixels >= (backward ? PIXELS_BACKWARD : PIXELS);
}
