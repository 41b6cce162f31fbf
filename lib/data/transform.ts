import type { Mean } from '../images/index.js';
import type { Pair } from '../shape.js';

/**
 * How the colours of a set of pictures vary: the eigenvalues of their covariance, of pixels from 0 to 1, and for each its
 * eigenvector, of length 1, over the channels in the net's order.
 */
export interface Components {
  readonly values: readonly number[];
  readonly vectors: readonly (readonly number[])[];
}

/** What happens to each picture on its way to the net. In the order given here. */
export interface TransformOptions {
  /** A number: the extent of the shorter side, the shape of the picture kept; a pair: exactly this height and width. Default: none. */
  readonly resize?: number | readonly [height: number, width: number];
  /** Extents to cut out: anywhere in training, in the middle in evaluation. Default: everything. */
  readonly crop?: Pair;
  /** Mirrors every second picture, at random, in training; `always`: in evaluation too, as Caffe's data layers do. Default false. */
  readonly mirror?: boolean | 'always';
  /** Deviation of the random steps along the principal components of the pictures' colours (Krizhevsky et al. 2012, section 4.1: 0.1), in training. Default 0: none. */
  readonly jitter?: number;
  /** These components. */
  readonly components?: Components;
  /** Subtracted before scaling: numbers, or a picture of means which covers the resized picture; of other extents, it is cut out of its own middle. Default 0. */
  readonly mean?: Mean;
  /** Factor after the mean is taken off. Default 1: 0 to 255. */
  readonly scale?: number | readonly number[];
  /**
   * Of encoded pictures; stored pixels stay as they are. `asis`: one plane of grey pictures, blue, green and red of others,
   * as Caffe's data layers decode them unless they are told otherwise. Default `bgr`, as Caffe's nets take them.
   */
  readonly channelOrder?: 'bgr' | 'rgb' | 'grey' | 'asis';
}
