import type { Program, Step } from '../program.js';
import { replaceKernels } from './replace.js';
import { isWorthRows } from './rows.js';

/**
 * Convolutions, deconvolutions and gradients that make few planes of each group: with planes in lanes most would be
 * empty, so pixels are (native/cpu/conv2d_frame.h), whatever the stride. Sums over channels and taps are the same to the
 * bit.
 */
export function useFlat(program: Program): Program {
  return replaceKernels(program, FLAT, isWorthFlat);
}

const FLAT: Readonly<Record<string, string>> = {
  conv2d: 'conv2d_flat',
  conv2d_dgrad: 'conv2d_flat_dgrad',
  conv2d_wgrad: 'conv2d_flat_wgrad',
  deconv2d: 'deconv2d_flat',
  deconv2d_dgrad: 'deconv2d_flat_dgrad',
};
/** Planes of a group that are multiplied at once: kFlatPlanes of native/cpu/conv2d_flat.h. */
const FEW = 4;

function isWorthFlat(step: Step): boolean {
  const { kernel, inputs, outputs, attributes } = step;
  const ofGroup = (images: { readonly shape: readonly number[] }): number =>
    images.shape[1]! / (attributes.groups as number);
  switch (kernel) {
    case 'conv2d':
      return ofGroup(outputs[0]!) <= FEW && !isWorthRows(step);
    case 'conv2d_dgrad':
    case 'deconv2d':
      return ofGroup(outputs[0]!) <= FEW && hasLargePhases(step);
    case 'deconv2d_dgrad':
      return ofGroup(outputs[0]!) <= FEW;
    case 'conv2d_wgrad':
      return outputs[0]?.shape[1] === 1 && ofGroup(inputs[1]!) <= FEW && !isWorthRows(step);
    default:
      return false;
  }
}

/** Backward, each phase of a stride is a run of its own, which is to fill a vector. */
function hasLargePhases({ outputs, attributes }: Step): boolean {
  const [, , height, width] = outputs[0]!.shape as [number, number, number, number];
  const { strideH, strideW } = attributes as Readonly<Record<string, number>>;
  return height * width >= 16 * strideH! * strideW!;
}
