import { check, format, pair, type Pair, type Shape } from '../shape.js';
import { checkImages, windowOf, type Window, type WindowOptions } from './window.js';

/** The window of a pooling layer. */
export interface PoolOptions extends WindowOptions {
  /** Extents of the window: one number or `[height, width]`. Required unless `global`. */
  readonly kernel?: Pair;
  /** The window is the whole image: one result per channel. Excludes kernel, stride and pad. Default false. */
  readonly global?: boolean;
  /**
   * Whether the last window may hang over the image's edge. Default `ceil`, as in Caffe: H' = ceil((H + 2 pad − kernel) /
   * stride) + 1. A last window that would start in the padding is dropped either way.
   */
  readonly round?: 'ceil' | 'floor';
}

/** Geometry of a pooling layer, as its kernels read it. */
export type PoolWindow = Window & Readonly<Record<'kernelH' | 'kernelW', number>>;

export type PoolAttributes = PoolWindow & Readonly<Record<'ceil', number>>;

/** The attributes of a pooling layer. @throws {ShapeError} */
export function poolAttributes(options: PoolOptions, x: Shape | undefined): PoolAttributes {
  checkImages(x);
  const { kernel, global = false, round = 'ceil' } = options;
  check(round === 'ceil' || round === 'floor', () => `expected round to be ceil or floor, got ${String(round)}`);
  const ceil = round === 'ceil' ? 1 : 0;
  if (global) {
    const alone = kernel === undefined && options.stride === undefined && options.pad === undefined;
    check(alone, () => 'expected global without kernel, stride and pad, since its window is the whole image');
    return { kernelH: x[2], kernelW: x[3], strideH: 1, strideW: 1, padH: 0, padW: 0, ceil };
  }
  check(kernel !== undefined, () => 'expected a kernel, or global: true');
  const [kernelH, kernelW] = pair(kernel, 'kernel', 1);
  check(kernelH * kernelW < 2 ** 31, () => `expected a kernel of fewer than 2^31 taps, got ${kernelH}x${kernelW}`);
  const window = windowOf(options);
  check(
    window.padH < kernelH && window.padW < kernelW,
    () => `expected pad below the kernel ${kernelH}x${kernelW}, got ${window.padH}x${window.padW}`,
  );
  return { kernelH, kernelW, ...window, ceil };
}

/** What kernels read: all but the rounding, which the shapes already show. */
export function windowOnly(a: PoolAttributes): PoolWindow {
  const { kernelH, kernelW, strideH, strideW, padH, padW } = a;
  return { kernelH, kernelW, strideH, strideW, padH, padW };
}

/** Shape of a pooled image: Caffe's pooling_layer.cpp. @throws {ShapeError} for windows wholly outside the image */
export function pooled(x: Shape | undefined, a: PoolAttributes): Shape {
  checkImages(x);
  const padded = a.padH > 0 || a.padW > 0;
  const axis = (size: number, kernel: number, stride: number, pad: number, what: string): number => {
    const room = (size + 2 * pad - kernel) / stride;
    let n = (a.ceil ? Math.ceil(room) : Math.floor(room)) + 1;
    if (padded && (n - 1) * stride >= size + pad) n--;
    check(n > 0, () => `expected a kernel ${what} of at most ${size + 2 * pad} for input ${format(x)}, got ${kernel}`);
    check(
      (n - 1) * stride - pad < size,
      () =>
        `expected every window to touch the image ${format(x)}, but window ${n - 1} of ${what} starts at ${(n - 1) * stride - pad}: use round: 'floor' or a stride of at most the kernel`,
    );
    return n;
  };
  const h = axis(x[2], a.kernelH, a.strideH, a.padH, 'height');
  const w = axis(x[3], a.kernelW, a.strideW, a.padW, 'width');
  return [x[0], x[1], h, w];
}
