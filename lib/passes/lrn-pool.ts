import type { Attributes } from '../op.js';
import type { Ref } from '../program.js';

/** Whether a kernel takes the normalisation of x and the max pooling behind it at once; attributes are those of both. */
export type Takes = (x: Ref, attributes: Attributes) => boolean;

/** Forward, and the gradient. */
export interface LrnPool {
  readonly forward: Takes;
  readonly backward: Takes;
}

/**
 * native/cpu/lrn_pool.h: windows whose gradient is gathered from codes of one byte (native/cpu/pool_grad.h). Backward, a
 * thread takes whole images, and its planes must fit the caches.
 */
export const inPlanes: LrnPool = {
  forward: (_, attributes) => isSmall(attributes),
  backward: ({ shape }, attributes) =>
    isSmall(attributes) && shape[0]! >= FEW_IMAGES && shape[2]! * shape[3]! <= LARGE_PLANE,
};

/**
 * native/cuda/lrn_pool.cu: five channels, which lie last. Forward, the lines of a window must fit shared memory; backward, a
 * pixel gathers from at most two windows each way, and its channels are the work of one block.
 */
export const inPixels: LrnPool = {
  forward: (x, attributes) => {
    const { kernelH, kernelW } = attributes as Window;
    return isFive(x, attributes) && kernelH * kernelW <= BYTE && kernelH * x.shape[3]! <= LINES;
  },
  backward: (x, attributes) => {
    const { kernelH, kernelW, strideH, strideW } = attributes as Window;
    const few = kernelH <= 2 * strideH && kernelW <= 2 * strideW && kernelH * kernelW <= BYTE;
    return isFive(x, attributes) && few && x.shape[1]! <= BLOCK * LANES;
  },
};

type Window = Readonly<Record<'kernelH' | 'kernelW' | 'strideH' | 'strideW', number>>;
const FEW_IMAGES = 8;
const LARGE_PLANE = 4096;
const BYTE = 256;
const LINES = 1024;
const BLOCK = 256;
const LANES = 8;

function isSmall(attributes: Attributes): boolean {
  const { kernelH, kernelW, strideH, strideW } = attributes as Window;
  return kernelH <= 8 && kernelW <= 8 && strideH <= 2 && strideW <= 2;
}

function isFive({ shape, channelsLast = false }: Ref, { localSize, beta }: Attributes): boolean {
  return channelsLast && localSize === 5 && beta === 0.75 && shape[1]! % LANES === 0;
}
