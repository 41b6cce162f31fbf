import type { Images } from '../pixels.js';
import type { Shape } from '../shape.js';
import type { Tensor } from '../tensor.js';

export interface Position {
  readonly epoch: number;
  readonly place: number;
}
export interface BadPicture {
  readonly name: string;
  readonly reason: string;
}
export interface Batch {
  readonly images: Images;
  readonly labels: Tensor;
  readonly size: number;
  readonly names: readonly string[];
  readonly bad: readonly BadPicture[];
  readonly position: Position;
  readonly waited: number;
}
/** What a training needs of a `Loader`. */
export interface Source extends AsyncIterable<Batch> {
  readonly shape: Shape;
  readonly pictures: number;
  readonly dataset: { readonly name: string; readonly classes: readonly string[] | undefined };
  readonly options: { readonly batch: number };
}
