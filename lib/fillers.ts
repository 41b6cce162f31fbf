import { UsageError } from './errors.js';
import { count, type Shape } from './shape.js';
import type { Attributes } from './op.js';

/** How a parameter's first values are drawn: Caffe's fillers (include/caffe/filler.hpp) by their names. */
export type Filler =
  | { readonly type: 'constant'; readonly value: number }
  | { readonly type: 'uniform'; readonly min: number; readonly max: number }
  /** Normal; with `sparse`, only that many non-zero inputs per output on average. */
  | { readonly type: 'gaussian'; readonly mean: number; readonly std: number; readonly sparse?: number }
  /** Uniform ±sqrt(3 / n): Glorot and Bengio 2010 with one fan. */
  | { readonly type: 'xavier'; readonly varianceNorm?: VarianceNorm }
  /** Normal with variance 2 / n: He et al. 2015, eq. 10. */
  | { readonly type: 'msra'; readonly varianceNorm?: VarianceNorm }
  /** Uniform, each output's weights summing to 1. */
  | { readonly type: 'positive_unitball' }
  /** Bilinear interpolation, for deconvolutions that enlarge. */
  | { readonly type: 'bilinear' };

/** Of a weight, what n counts: inputs of an output, outputs of an input, or the mean of both. */
export type VarianceNorm = 'fan_in' | 'fan_out' | 'average';

/** All the same. Default 0. */
export const constant = (value = 0): Filler => ({ type: 'constant', value });
/** Uniform from `min` to `max`. Default 0 to 1. */
export const uniform = (min = 0, max = 1): Filler => ({ type: 'uniform', min, max });
/** Normal; `sparse`: so many inputs of each output that are not 0, on average. Default mean 0, deviation 1. */
export const gaussian = (std = 1, mean = 0, sparse?: number): Filler => ({
  type: 'gaussian',
  std,
  mean,
  ...(sparse === undefined ? {} : { sparse }),
});
/** Uniform ±sqrt(3 / n): Glorot and Bengio 2010. Default n: `fan_in`. */
export const xavier = (varianceNorm: VarianceNorm = 'fan_in'): Filler => ({ type: 'xavier', varianceNorm });
/** Normal with variance 2 / n, for layers before a ReLU: He et al. 2015. Default n: `fan_in`. */
export const msra = (varianceNorm: VarianceNorm = 'fan_in'): Filler => ({ type: 'msra', varianceNorm });
/** Uniform from 0, the weights of each output summing to 1. */
export const positiveUnitball = (): Filler => ({ type: 'positive_unitball' });
/** Bilinear interpolation, for a `deconv2d` that enlarges. */
export const bilinear = (): Filler => ({ type: 'bilinear' });

/** A kernel call that fills a tensor; random ones take the random state as their input. */
export interface FillCall {
  readonly kernel: string;
  readonly attributes: Attributes;
  readonly random: boolean;
}

/** The call that draws a parameter; `stream` keeps the parameters of one seed apart. @throws {UsageError} */
export function fillCall(filler: Filler, shape: Shape, stream: number): FillCall {
  switch (filler.type) {
    case 'constant':
      return { kernel: 'fill', attributes: { value: filler.value }, random: false };
    case 'uniform':
      return uniformCall(filler.min, filler.max, stream);
    case 'xavier': {
      const limit = Math.sqrt(3 / fan(shape, filler.varianceNorm));
      return uniformCall(-limit, limit, stream);
    }
    case 'gaussian': {
      const sparse = filler.sparse ?? -1;
      const keep = sparse < 0 ? 1 : Math.min(1, sparse / (shape[0] ?? 1));
      return {
        kernel: 'fill_gaussian',
        attributes: { mean: filler.mean, std: filler.std, keep, stream },
        random: true,
      };
    }
    case 'msra':
      return {
        kernel: 'fill_gaussian',
        attributes: { mean: 0, std: Math.sqrt(2 / fan(shape, filler.varianceNorm)), keep: 1, stream },
        random: true,
      };
    case 'positive_unitball':
      return { kernel: 'fill_unitball', attributes: { stream }, random: true };
    case 'bilinear':
      checkSquare(shape);
      return { kernel: 'fill_bilinear', attributes: {}, random: false };
  }
}

function uniformCall(min: number, max: number, stream: number): FillCall {
  if (!(min <= max)) throw new UsageError(`uniform: expected min <= max, got ${min} and ${max}`);
  return { kernel: 'fill_uniform', attributes: { min, max, stream }, random: true };
}

/** Caffe counts fan-in as count / shape[0] and fan-out as count / shape[1] whatever the layer. */
function fan(shape: Shape, norm: VarianceNorm = 'fan_in'): number {
  const n = count(shape);
  const fanIn = n / (shape[0] ?? 1);
  const fanOut = shape.length > 1 ? n / shape[1]! : n;
  return norm === 'fan_in' ? fanIn : norm === 'fan_out' ? fanOut : (fanIn + fanOut) / 2;
}

function checkSquare(shape: Shape): void {
  if (shape.length !== 4 || shape[2] !== shape[3]) {
    throw new UsageError(`bilinear: expected a square 4-axis filter, got (${shape.join(', ')})`);
  }
}
