import type { Program, Step } from '../program.js';
import { replaceKernels } from './replace.js';

/**
 * Convolutions, deconvolutions and gradients whose groups are a channel and a filter each: channels in lanes instead of
 * pixels (native/cpu/conv2d_depthwise.h). Sums over taps are the same to the bit.
 */
export function useDepthwise(program: Program): Program {
  return replaceKernels(program, DEPTHWISE, isWorthDepthwise);
}

const DEPTHWISE: Readonly<Record<string, string>> = {
  conv2d: 'conv2d_depthwise',
  conv2d_dgrad: 'conv2d_depthwise_dgrad',
  conv2d_wgrad: 'conv2d_depthwise_wgrad',
  deconv2d: 'deconv2d_depthwise',
  deconv2d_dgrad: 'deconv2d_depthwise_dgrad',
};

/** Channels for which lanes are worth filling: half of the widest vectors. */
const SOME = 8;

function isWorthDepthwise({ kernel, inputs, outputs, attributes }: Step): boolean {
  const [image, features] = kernel.endsWith('_wgrad') ? inputs : [inputs[0], outputs[0]];
  if (!outputs[0] || !image || !features) return false;
  const groups = attributes.groups as number;
  return groups >= SOME && image.shape[1] === groups && features.shape[1] === groups;
}
