import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { check } from '../shape.js';
import { classAxis, ignoredLabel } from './loss.js';

/** What `accuracy` takes besides values and a name. */
export interface AccuracyOptions {
  /** How many of the best classes may hold the true one. Default 1. */
  readonly topK?: number;
  /** The axis of the classes. Default 1. */
  readonly axis?: number;
  /** Labels of this value do not count. Default: none. */
  readonly ignoreLabel?: number;
  /** Gives the accuracy of every class as a second result (0 for classes without a label). Default false. */
  readonly perClass?: boolean;
}

/** Share of labels whose class is among the best: accuracy_layer.cpp. Ties (and NaN) count against the true class. */
export const accuracyOp = defineOp({
  name: 'accuracy',
  attributes({ topK = 1, axis = 1, ignoreLabel, perClass }: AccuracyOptions, [x, label]) {
    const at = classAxis(axis, x, label);
    const classes = x![at]!;
    check(
      Number.isSafeInteger(topK) && topK > 0 && topK <= classes,
      () => `expected topK between 1 and the ${classes} classes, got ${topK}`,
    );
    return { topK, axis: at, ...ignoredLabel(ignoreLabel), perClass: perClass ? 1 : 0 };
  },
  outputs: ([x], { axis, perClass }) => [{ shape: [] }, ...(perClass ? [{ shape: [x![axis]!] }] : [])],
  forward(e) {
    const { topK, axis, ignoreLabel } = e.attributes;
    e.run('accuracy', e.inputs, e.outputs, { topK, axis, ignoreLabel });
  },
});

/**
 * Accuracy of scores `x` against `label` (one for each place beside the class axis); a scalar without a gradient. A label that
 * names no class is a wrong answer; without any label it is 0.
 * @throws {ShapeError}
 */
export function accuracy(
  x: Value,
  label: Value,
  options: Omit<AccuracyOptions, 'perClass'> & LayerOptions = {},
): Value {
  return layer(accuracyOp, [x, label], options)[0]!;
}

/** The same with the accuracy of every class. */
export function accuracyPerClass(
  x: Value,
  label: Value,
  options: AccuracyOptions & LayerOptions = {},
): { readonly accuracy: Value; readonly perClass: Value } {
  const [all, perClass] = layer(accuracyOp, [x, label], { ...options, perClass: true });
  return { accuracy: all!, perClass: perClass! };
}
