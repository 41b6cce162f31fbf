import { ShapeError } from './errors.js';
import { count, format, type Shape } from './shape.js';

/** Element types that callers may hand in; everything is computed in float32. */
export type TensorData = Float32Array | Float64Array | Int32Array | Uint8Array;

/** Numbers with a shape, in C order; images are N, C, H, W. */
export interface Tensor<D extends TensorData = Float32Array> {
  readonly data: D;
  readonly shape: Shape;
}

/** Makes a Tensor, checking that the shape fits the data. @throws {ShapeError} */
export function tensor(data: TensorData | readonly number[], shape: Shape = [data.length]): Tensor<TensorData> {
  if (count(shape) !== data.length) {
    throw new ShapeError(`tensor: expected ${count(shape)} elements for shape ${format(shape)}, got ${data.length}`);
  }
  return { data: ArrayBuffer.isView(data) ? data : Float32Array.from(data), shape };
}
