import type { EagerOptions } from '../kernels.js';
import type { Shape } from '../shape.js';

/** What an input of a case holds. */
export interface Content {
  readonly shape: Shape;
  /** Whole numbers from 0 to below this, such as labels; no gradient is asked for. Default: numbers between -1 and 1. */
  readonly below?: number;
  /** A constant of the op: its gradient is not asked for. */
  readonly fixed?: boolean;
  /** Added to the numbers: for logarithms, powers, probabilities. Default 0. */
  readonly shift?: number;
}

/** One call of an op: a name of `ops` in cortado/kernels, its options, its inputs (parameters behind them). */
export interface Case {
  readonly op: string;
  readonly options?: Readonly<Record<string, unknown>> & EagerOptions;
  readonly inputs: readonly Content[];
  /** The function has kinks or steps, where its slope cannot be measured. */
  readonly rough?: boolean;
}

const x = (...shape: number[]): Content => ({ shape });
const whole = (below: number, ...shape: number[]): Content => ({ shape, below });
const constant = (...shape: number[]): Content => ({ shape, shift: 1.5, fixed: true });
const positive = (...shape: number[]): Content => ({ shape, shift: 1.5 });

/** Sizes that leave remainders of every tile, vector and block. */
const IMAGE: Content = x(2, 7, 13, 11);

/** Every kernel of the engine, forward and backward. */
export const CASES: readonly Case[] = [
  { op: 'conv2d', options: { kernel: 3, pad: 1, filters: 70 }, inputs: [IMAGE, x(70, 7, 3, 3), x(70)] },
  {
    op: 'conv2d',
    options: { kernel: [3, 2], stride: 2, groups: 2, dilation: 2, filters: 6 },
    inputs: [x(3, 8, 15, 14), x(6, 4, 3, 2), x(6)],
  },
  { op: 'conv2d', options: { kernel: 11, stride: 4, filters: 16 }, inputs: [x(2, 3, 51, 51), x(16, 3, 11, 11), x(16)] },
  {
    op: 'deconv2d',
    options: { kernel: 4, stride: 2, pad: 1, groups: 2, filters: 6 },
    inputs: [x(2, 8, 6, 7), x(8, 3, 4, 4), x(6)],
  },
  { op: 'dense', options: { units: 65 }, inputs: [x(33, 130), x(65, 130), x(65)] },
  { op: 'dense', options: { units: 9, transpose: true }, inputs: [x(5, 1030), x(1030, 9), x(9)] },
  { op: 'lrn', options: { localSize: 5, alpha: 0.1, beta: 0.75 }, inputs: [IMAGE] },
  { op: 'lrn', options: { localSize: 3, alpha: 0.1, beta: 0.6, region: 'within' }, inputs: [IMAGE] },
  { op: 'maxPool', options: { kernel: 3, stride: 2 }, inputs: [IMAGE], rough: true },
  { op: 'maxPool', options: { kernel: 17, stride: 5, pad: 3 }, inputs: [x(2, 3, 40, 41)], rough: true },
  { op: 'averagePool', options: { kernel: 3, stride: 2, pad: 1 }, inputs: [IMAGE] },
  { op: 'averagePool', options: { global: true }, inputs: [IMAGE] },
  ...['sigmoid', 'tanh', 'bnll', 'swish', 'exp'].map((op) => ({ op, inputs: [x(1027)] })),
  ...['relu', 'elu', 'abs', 'threshold'].map((op) => ({ op, inputs: [x(1027)], rough: true })),
  { op: 'clip', options: { min: -0.5, max: 0.25 }, inputs: [x(1027)], rough: true },
  { op: 'log', inputs: [positive(1027)] },
  { op: 'power', options: { power: 1.7, scale: 0.5, shift: 1.2 }, inputs: [positive(1027)] },
  { op: 'prelu', inputs: [IMAGE, x(7)], rough: true },
  { op: 'dropout', options: { ratio: 0.4, phase: 'train' }, inputs: [x(1027)] },
  { op: 'eltwise', options: { operation: 'sum', coefficients: [1, -2, 0.5] }, inputs: [x(1027), x(1027), x(1027)] },
  { op: 'eltwise', options: { operation: 'prod' }, inputs: [x(1027), x(1027), x(1027)] },
  { op: 'eltwise', options: { operation: 'max' }, inputs: [x(1027), x(1027), x(1027)], rough: true },
  { op: 'concat', options: { axis: 1 }, inputs: [x(3, 2, 5), x(3, 7, 5), x(3, 1, 5)] },
  { op: 'slice', options: { axis: 1, points: [2, 5] }, inputs: [x(3, 9, 5)] },
  { op: 'tile', options: { axis: 1, tiles: 3 }, inputs: [x(3, 4, 5)] },
  { op: 'reduction', options: { operation: 'sum', axis: 1 }, inputs: [x(3, 9000)] },
  { op: 'reduction', options: { operation: 'sumsq' }, inputs: [x(3, 900)] },
  { op: 'reduction', options: { operation: 'asum' }, inputs: [x(3, 900)], rough: true },
  { op: 'scale', options: { bias: true }, inputs: [IMAGE, x(7), x(7)] },
  { op: 'bias', inputs: [IMAGE, x(7)] },
  { op: 'mvn', inputs: [IMAGE] },
  { op: 'batchNorm', inputs: [IMAGE, constant(7), constant(7), constant(1)] },
  { op: 'batchNorm', options: { phase: 'test' }, inputs: [IMAGE, constant(7), constant(7), constant(1)] },
  { op: 'crop', options: { axis: 2, offsets: [3, 1] }, inputs: [IMAGE, constant(2, 7, 5, 6)] },
  { op: 'batchReindex', inputs: [x(6, 5), whole(6, 9)] },
  { op: 'softmax', inputs: [x(5, 1003)] },
  { op: 'softmax', options: { axis: 1 }, inputs: [IMAGE] },
  { op: 'softmaxLoss', inputs: [x(65, 1003), whole(1003, 65)] },
  { op: 'softmaxLoss', options: { normalization: 'full' }, inputs: [IMAGE, whole(7, 2, 13, 11)] },
  { op: 'euclideanLoss', inputs: [x(65, 130), x(65, 130)] },
  { op: 'sigmoidCrossEntropyLoss', inputs: [x(65, 130), whole(2, 65, 130)] },
  { op: 'hingeLoss', options: { norm: 'l2' }, inputs: [x(65, 13), whole(13, 65)], rough: true },
  { op: 'multinomialLoss', inputs: [positive(65, 13), whole(13, 65)] },
  { op: 'infogainLoss', inputs: [positive(9, 5), whole(5, 9), constant(5, 5)] },
  { op: 'contrastiveLoss', inputs: [x(33, 20), x(33, 20), whole(2, 33)], rough: true },
  { op: 'accuracy', options: { topK: 3 }, inputs: [x(65, 13), whole(13, 65)], rough: true },
  { op: 'argmax', options: { topK: 3 }, inputs: [x(65, 13)], rough: true },
  { op: 'embed', options: { units: 6, inputs: 30 }, inputs: [whole(30, 50), x(30, 6), x(6)] },
];
