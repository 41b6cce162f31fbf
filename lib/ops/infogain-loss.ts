import { constant } from '../fillers.js';
import { layer, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { check, count, format } from '../shape.js';
import { classAxis, labelAttributes, type LabelOptions, type LossLayerOptions } from './loss.js';

/** What `infogainLoss` takes besides values and a name. */
export interface InfogainLossOptions extends LabelOptions {
  /** The axis of the classes. Default 1. */
  readonly axis?: number;
}

/** −Σ matrix(label, l) · log softmax(x)(l), averaged over labels: infogain_loss_layer.cpp. Normalization: `valid` by default. */
export const infogainLossOp = defineOp({
  name: 'infogainLoss',
  loss: true,

  attributes: (options: InfogainLossOptions, [x, label]) => ({
    axis: classAxis(options.axis ?? 1, x, label),
    ...labelAttributes(options, 'valid'),
  }),

  parameters(inputs, { axis }) {
    const classes = inputs[0]![axis]!;
    return inputs.length > 2
      ? []
      : [{ name: 'matrix', shape: [classes, classes], filler: constant(0), learned: false }];
  },

  outputs([x, , matrix], { axis }) {
    const classes = x![axis]!;
    check(
      matrix !== undefined && count(matrix) === classes * classes,
      () => `expected a matrix (${classes}, ${classes}), got ${format(matrix ?? [])}`,
    );
    return [{ shape: [] }, { shape: x!, saved: true }];
  },

  forward(e) {
    const { axis } = e.attributes;
    const [x, label, matrix] = e.inputs;
    const [loss, prob] = e.outputs;
    e.run('softmax', [x], [prob], { axis });
    e.run('infogainLoss', [prob, label, matrix], [loss]);
  },

  backward(e) {
    const [x, label, matrix] = e.inputs;
    const dx = e.temp(x!.shape);
    e.run('infogainLoss_grad', [e.outputs[1], label, matrix, e.dy], [dx]);
    return [dx];
  },

  flops: ([x]) => 8 * count(x!),
});

/**
 * Infogain loss of scores `x` against `label`; a scalar. `matrix` (classes × classes) tells what each prediction is worth
 * for each true class; without it, it is a parameter that is loaded but never learned. The probability inside the logarithm
 * is at least 1e-20. A label that names no class costs −log 1e-20 and sends no gradient back.
 * @throws {ShapeError}
 */
export function infogainLoss(
  x: Value,
  label: Value,
  options: InfogainLossOptions & LossLayerOptions & { readonly matrix?: Value } = {},
): Value {
  const { matrix, ...rest } = options;
  return layer(infogainLossOp, matrix ? [x, label, matrix] : [x, label], rest)[0]!;
}
