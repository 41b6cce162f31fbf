import type { Mean } from '../images/index.js';
import type { Pair } from '../shape.js';

/** What happens to each picture on its way to the net. In the order given here. */
export interface TransformOptions {
  /** A number: the extent of the shorter side, the shape of the picture kept; a pair: exactly this height and width. Default: none. */
  readonly resize?: number | Pair;
  /** Extents to cut out: anywhere in training, in the middle in evaluation. Default: everything. */
  readonly crop?: Pair;
  /** Mirrors every second picture, at random. Default false. */
  readonly mirror?: boolean;
  /** Deviation of the random steps along the principal components of the pictures' colours (Krizhevsky et al. 2012, section 4.1: 0.1). Default 0: none. */
  readonly jitter?: number;
  /** Subtracted before scaling: numbers, or a picture of means which covers the resized picture. Default 0. */
  readonly mean?: Mean;
  /** Factor after the mean is taken off. Default 1: 0 to 255. */
  readonly scale?: number | readonly number[];
  /** Of encoded pictures; stored pixels stay as they are. Default `bgr`, as Caffe's nets take them. */
  readonly channelOrder?: 'bgr' | 'rgb' | 'grey';
}
