import { check, pair, type Pair, type Shape } from '../shape.js';

/** The window of a convolution or pooling, as kernels read it. */
export type Window = Readonly<Record<'strideH' | 'strideW' | 'padH' | 'padW', number>>;

/** What `window` takes besides values and a name. */
export interface WindowOptions {
  /** Step between windows. Default 1. */
  readonly stride?: Pair;
  /** Zeros around the image. Default 0. */
  readonly pad?: Pair;
}

export function windowOf(options: WindowOptions): Window {
  const [strideH, strideW] = pair(options.stride ?? 1, 'stride', 1);
  const [padH, padW] = pair(options.pad ?? 0, 'pad', 0);
  return { strideH, strideW, padH, padW };
}

/** Checks that a value is a batch of images. */
export function checkImages(
  shape: Shape | undefined,
  what = 'input',
): asserts shape is readonly [number, number, number, number] {
  check(shape?.length === 4, () => `expected ${what} (N, C, H, W), got (${shape?.join(', ') ?? ''})`);
}
