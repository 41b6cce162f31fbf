import { FormatError } from '../../errors.js';
import { toTensor, view, type RawTensor, type TensorInfo } from '../../formats/elements.js';
import type { Value } from '../../graph.js';
import type { Shape } from '../../shape.js';
import type { Tensor, TensorData } from '../../tensor.js';

/** A whole number that may grow with the batch: `fixed + batches · N`. */
export interface Extent {
  readonly fixed: number;
  readonly batches: number;
}

/** Whole numbers that are known while the net is built, such as shapes: a list, or a single one. */
export class Extents {
  constructor(
    readonly items: readonly Extent[],
    readonly scalar = false,
  ) {}

  get shape(): Shape {
    return this.scalar ? [] : [this.items.length];
  }
}

/** A tensor of the file. Small ones are known while the net is built; large ones are read when their place in it is known. */
export class Constant implements TensorInfo {
  readonly dtype;
  readonly shape;

  constructor(
    readonly name: string,
    info: TensorInfo,
    readonly load: () => Promise<RawTensor>,
    readonly known?: RawTensor,
  ) {
    this.dtype = info.dtype;
    this.shape = info.shape;
  }

  static of(name: string, raw: RawTensor): Constant {
    return new Constant(name, raw, () => Promise.resolve(raw), raw);
  }

  /** The same after a change of its elements or shape. */
  derive(info: TensorInfo, change: (raw: RawTensor) => RawTensor): Constant {
    const load = async (): Promise<RawTensor> => change(await this.load());
    return new Constant(this.name, info, load, this.known && change(this.known));
  }

  /** The elements, where they are known; 64-bit integers as near as numbers come. @throws {FormatError} */
  numbers(): number[] {
    if (!this.known)
      throw new FormatError(`expected "${this.name}" to be a small constant, got (${this.shape.join(', ')})`);
    const { dtype, bytes } = this.known;
    // The largest integer stands for "to the end".
    if (dtype === 'int64') return Array.from(view(BigInt64Array, bytes), Number);
    return Array.from(toTensor(this.known, this.name).data);
  }
}

/** What a name of the file stands for; undefined for an input that is left out. */
export type Item = Value | Constant | Extents;

/** Elements of a parameter: from a constant, under another shape, each changed by `map`. */
export interface Weight {
  readonly from: Constant;
  readonly shape: Shape;
  readonly map?: ((value: number) => number) | undefined;
}

/** The parameter's numbers. */
export async function weightOf({ from, shape, map }: Weight, where: string): Promise<Tensor<TensorData>> {
  const { data } = toTensor(await from.load(), `${where}: ${from.name}`);
  return { data: map ? Float32Array.from(data, map) : data, shape };
}
