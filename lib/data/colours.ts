import { UsageError } from '../errors.js';
import type { Dataset } from './dataset.js';
import { survey, type SurveyOptions } from './survey.js';
import type { Components } from './transform.js';

/** Pictures that are looked at; more change the components by less than the jitter ever shows. */
const SAMPLE = 1000;

/**
 * The principal components of the colours of a dataset (Krizhevsky et al. 2012, section 4.1), from up to a thousand of its
 * pictures at equal distances.
 * @throws {UsageError} when its pictures are not of bytes
 */
export async function colourComponents(dataset: Dataset, options: SurveyOptions = {}): Promise<Components> {
  const { length } = dataset;
  const sample = Math.min(SAMPLE, length);
  const ref = (index: number): unknown => dataset.ref(Math.floor((index * length) / sample));
  const some = { ...dataset, length: sample, ref };
  const { sums, shape } = await survey(some, 'colours', options, ({ form }) => {
    if (form.floats) throw new UsageError('jitter: expected pictures of bytes, got numbers of any size');
  });
  return components(covariance(sums, shape[0]!));
}

/** Of channels from 0 to 1; see `Sums`. */
function covariance(products: Float64Array, channels: number): number[][] {
  const at = (a: number, b: number): number => products[a * (channels + 1) + b]!;
  const pixels = at(channels, channels);
  const mean = (c: number): number => at(c, channels) / pixels;
  return Array.from({ length: channels }, (_, a) =>
    Array.from({ length: channels }, (_, b) => (at(a, b) / pixels - mean(a) * mean(b)) / 255 ** 2),
  );
}

/** Sweeps through all pairs; for matrices this small three or four are enough. */
const SWEEPS = 20;

/** Eigenvalues and eigenvectors of a symmetric matrix, the largest first: Jacobi's rotations (Golub and Van Loan, section 8.5). */
export function components(matrix: readonly (readonly number[])[]): Components {
  const n = matrix.length;
  const a = matrix.map((row) => [...row]);
  const vectors = a.map((_, i) => a.map((_, k) => Number(i === k)));
  for (let sweep = 0; sweep < SWEEPS; sweep++)
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(a, vectors, p, q);
  const order = a.map((_, i) => i).sort((i, k) => a[k]![k]! - a[i]![i]!);
  return { values: order.map((i) => a[i]![i]!), vectors: order.map((i) => vectors[i]!) };
}

/** Makes the element at (p, q) zero. The rows of `vectors` turn along. */
function rotate(a: number[][], vectors: number[][], p: number, q: number): void {
  if (a[p]![q] === 0) return;
  const tau = (a[q]![q]! - a[p]![p]!) / (2 * a[p]![q]!);
  const t = (tau >= 0 ? 1 : -1) / (Math.abs(tau) + Math.sqrt(1 + tau * tau));
  const c = 1 / Math.sqrt(1 + t * t);
  const turned = (x: number, y: number): [number, number] => [c * (x - t * y), c * (t * x + y)];
  for (const row of a) [row[p], row[q]] = turned(row[p]!, row[q]!);
  for (const rows of [a, vectors])
    for (let i = 0; i < a.length; i++) [rows[p]![i], rows[q]![i]] = turned(rows[p]![i]!, rows[q]![i]!);
}
