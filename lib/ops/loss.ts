import type { LayerOptions } from '../graph.js';
import { axisOf, check, count, format, type Shape } from '../shape.js';

/** What every loss takes beside its own options. */
export interface LossLayerOptions extends LayerOptions {
  /** Factor of this loss in the total that backward starts from. Default 1. */
  readonly lossWeight?: number;
}

/**
 * What the sum over labels is divided by, at least 1: labels that are not ignored, images of the batch, all labels
 * (ignored ones too), or 1.
 */
export type Normalization = 'valid' | 'batchSize' | 'full' | 'none';

/** Which labels count. */
export interface LabelOptions {
  /** Labels of this value send no loss and no gradient. Default: none. */
  readonly ignoreLabel?: number;
  /**
   * What the total is divided by: the labels that count (`valid`), the images (`batchSize`), all labels (`full`) or nothing.
   * Default: as of the loss's layer in Caffe.
   */
  readonly normalization?: Normalization;
}

const NORMALIZATIONS: readonly Normalization[] = ['valid', 'batchSize', 'full', 'none'];

/** Label options as kernels read them: an empty or one-element list, and an index. @throws {ShapeError} */
export function labelAttributes(options: LabelOptions, normalization: Normalization) {
  const chosen = options.normalization ?? normalization;
  const index = NORMALIZATIONS.indexOf(chosen);
  check(index >= 0, () => `expected normalization to be one of ${NORMALIZATIONS.join(', ')}, got ${String(chosen)}`);
  return { ...ignoredLabel(options.ignoreLabel), normalization: index };
}

export function ignoredLabel(label: number | undefined): { readonly ignoreLabel: readonly number[] } {
  check(
    label === undefined || Number.isSafeInteger(label),
    () => `expected ignoreLabel to be a whole number, got ${label}`,
  );
  return { ignoreLabel: label === undefined ? [] : [label] };
}

/** The class axis of scores, checked against the labels: one for every place on the other axes. @throws {ShapeError} */
export function classAxis(axis: number, scores: Shape | undefined, labels: Shape | undefined): number {
  check(scores !== undefined && labels !== undefined, () => 'expected scores and labels');
  const at = axisOf(axis, scores.length, 'axis');
  const rows = count(scores) / scores[at]!;
  check(
    count(labels) === rows,
    () =>
      `expected ${rows} labels, one for each place of scores ${format(scores)} beside the classes on axis ${at}, got ${format(labels)}`,
  );
  return at;
}

/** Checks that scores are rows of classes and that there is a label for each row. @throws {ShapeError} */
export function checkRows(scores: Shape | undefined, labels: Shape | undefined): void {
  check(scores !== undefined && scores.length > 0 && labels !== undefined, () => 'expected scores and labels');
  check(
    count(labels) === scores[0],
    () => `expected ${scores[0]} labels for scores ${format(scores)}, got ${format(labels)}`,
  );
}

/** Checks that two tensors have one element for each of the other's, row by row. @throws {ShapeError} */
export function checkPairs(a: Shape | undefined, b: Shape | undefined): void {
  check(a !== undefined && b !== undefined && a.length > 0, () => 'expected two inputs of at least one axis');
  check(
    a[0] === b[0] && count(a) === count(b),
    () => `expected inputs of the same extents, got ${format(a)} and ${format(b)}`,
  );
}
