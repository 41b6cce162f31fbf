import { constant } from '../fillers.js';
import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp, type Emitter } from '../op.js';
import { check, count, format, type Shape } from '../shape.js';

/** What `batchNorm` takes besides values and a name. */
export interface BatchNormOptions {
  /** What the running sums keep of themselves each step. Default 0.999. */
  readonly movingAverageFraction?: number;
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** Normalise with the running statistics instead of the batch's. Default: in phase test only. */
  readonly useGlobalStats?: boolean;
}

interface BatchNormAttributes extends Readonly<Record<string, number>> {
  readonly movingAverageFraction: number;
  readonly eps: number;
  /** −1: as the phase says. */
  readonly useGlobalStats: number;
}

const usesRunning = (e: Emitter<BatchNormAttributes>): boolean =>
  e.attributes.useGlobalStats < 0 ? e.phase === 'test' : e.attributes.useGlobalStats === 1;

const channelsOf = (x: Shape): number => (x.length === 1 ? 1 : x[1]!);

/**
 * Batch normalisation without a learned scale (Ioffe and Szegedy 2015; batch_norm_layer.cpp). The parameters are running
 * sums: `mean` and `variance` stand for their quotients by `factor` (0 while that is 0), and the variance of m elements enters
 * times m / (m − 1).
 */
export const batchNormOp = defineOp({
  name: 'batchNorm',

  attributes(options: BatchNormOptions, [x]): BatchNormAttributes {
    const { movingAverageFraction = 0.999, eps = 1e-5, useGlobalStats } = options;
    check(x !== undefined && x.length > 0, () => 'expected an input of at least one axis');
    check(
      movingAverageFraction >= 0 && movingAverageFraction <= 1,
      () => `expected movingAverageFraction between 0 and 1, got ${movingAverageFraction}`,
    );
    check(Number.isFinite(eps) && eps >= 0, () => `expected eps to be a finite number of at least 0, got ${eps}`);
    return { movingAverageFraction, eps, useGlobalStats: useGlobalStats === undefined ? -1 : useGlobalStats ? 1 : 0 };
  },

  parameters([x]) {
    const statistic = (name: string, size: number) => ({ name, shape: [size], filler: constant(0), learned: false });
    return [statistic('mean', channelsOf(x!)), statistic('variance', channelsOf(x!)), statistic('factor', 1)];
  },

  outputs([x, mean, variance, factor]) {
    const channels = channelsOf(x!);
    for (const [name, shape, size] of [
      ['mean', mean, channels],
      ['variance', variance, channels],
      ['factor', factor, 1],
    ] as const) {
      check(
        shape !== undefined && count(shape) === size,
        () => `expected ${name} (${size}), got ${format(shape ?? [])}`,
      );
    }
    return [{ shape: x! }, { shape: [channels], saved: true }];
  },

  forward(e) {
    const { eps, movingAverageFraction } = e.attributes;
    const [, ...running] = e.inputs;
    if (usesRunning(e)) e.run('batchNorm_global', e.inputs, [e.outputs[0]], { eps });
    else e.run('batchNorm', e.inputs, [...e.outputs, ...running], { eps, movingAverageFraction });
  },

  backward(e) {
    const dx = e.temp(e.inputs[0]!.shape);
    const [, ...running] = e.inputs;
    if (usesRunning(e)) e.run('batchNorm_global_grad', [e.dy, ...running], [dx], { eps: e.attributes.eps });
    else e.run('batchNorm_grad', [e.dy, ...e.outputs], [dx], {});
    return [dx];
  },

  // Two sums and the normalisation.
  flops: ([x]) => 6 * count(x!),
});

/**
 * Batch normalisation of `x` (N, C, …) over everything but C; the result has its shape. In phase train it uses the batch's own
 * statistics and updates the running ones. Parameters, never learned: `mean`, `variance` (C), `factor` (1).
 * @throws {ShapeError}
 */
export function batchNorm(x: Value, options: BatchNormOptions & LayerOptions = {}): Value {
  return layer(batchNormOp, [x], options)[0]!;
}
