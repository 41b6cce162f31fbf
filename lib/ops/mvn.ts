import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { check, count } from '../shape.js';

/** What `mvn` takes besides values and a name. */
export interface MvnOptions {
  /** One mean for a whole image instead of one for each channel. Default false. */
  readonly acrossChannels?: boolean;
  /** Also divides by the deviation. Default true. */
  readonly normalizeVariance?: boolean;
  /** Added to the deviation (not the variance). Default 1e-9. */
  readonly eps?: number;
}

/** (x − mean) / (deviation + eps) of each image or plane: mvn_layer.cpp. */
export const mvnOp = defineOp({
  name: 'mvn',
  attributes({ acrossChannels = false, normalizeVariance = true, eps = 1e-9 }: MvnOptions, [x]) {
    check(x !== undefined && x.length > 0, () => 'expected an input of at least one axis');
    check(Number.isFinite(eps) && eps >= 0, () => `expected eps to be a finite number of at least 0, got ${eps}`);
    return { acrossChannels: acrossChannels ? 1 : 0, normalizeVariance: normalizeVariance ? 1 : 0, eps };
  },
  outputs: ([x], { acrossChannels }) => [
    { shape: x! },
    { shape: [count(x!, 0, acrossChannels ? 1 : Math.min(2, x!.length))], saved: true },
  ],
  backward(e) {
    const { acrossChannels, normalizeVariance } = e.attributes;
    const dx = e.temp(e.inputs[0]!.shape);
    e.run('mvn_grad', [e.dy, ...e.outputs], [dx], { acrossChannels, normalizeVariance });
    return [dx];
  },
  flops: ([x]) => 6 * count(x!),
});

/**
 * Mean-variance normalisation of `x` (N, C, …); the result has its shape. As in Caffe, eps does not enter the derivative of
 * the deviation.
 * @throws {ShapeError}
 */
export function mvn(x: Value, options: MvnOptions & LayerOptions = {}): Value {
  return layer(mvnOp, [x], options)[0]!;
}
