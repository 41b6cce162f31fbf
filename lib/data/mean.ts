import type { Tensor } from '../tensor.js';
import type { Dataset, Item } from './dataset.js';
import { survey, type SurveyOptions } from './survey.js';

/**
 * The mean of all pictures of a dataset, pixel by pixel: (C, H, W), as Caffe's compute_image_mean has it. Pictures must be
 * equal in size, or made so by `resize` and `crop`. Works on threads; the numbers do not hang on how many there are.
 * @throws {FormatError} when more than `mostBad` pictures cannot be read
 */
export async function computeMean(data: Dataset | AsyncIterable<Item>, options: SurveyOptions = {}): Promise<Tensor> {
  const { sums, pictures, shape } = await survey(data, 'pixels', options);
  // Sum and quotient in float32, as there.
  return { data: Float32Array.from(sums, (sum) => Math.fround(sum) / pictures), shape };
}
