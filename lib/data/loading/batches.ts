import type { Images } from '../../pixels.js';
import { count, type Shape } from '../../shape.js';
import type { Tensor } from '../../tensor.js';
import type { Pace } from '../pace.js';
import type { Normal } from './normal.js';
import type { BadPicture, Form, Piece, Position, Task } from './piece.js';
import { following } from './places.js';

/** Pictures for one run of a model. */
export interface Batch {
  /** For the input of pictures: stored bytes (or numbers) that native code normalizes on their way. */
  readonly images: Images;
  /** (N, ...labelShape); with ten crops still one for each picture. */
  readonly labels: Tensor;
  /** N */
  readonly size: number;
  readonly names: readonly string[];
  /** Left out while this batch was filled. */
  readonly bad: readonly BadPicture[];
  /** Of the loader behind this batch: a loader that starts there gives the next batch, to the same bits. */
  readonly position: Position;
  /** Milliseconds that next() had to wait for it. */
  readonly waited: number;
}

/** A batch that nobody has asked for yet. */
export type Filled = Omit<Batch, 'waited'>;

export interface BatchPlan {
  readonly batch: number;
  readonly crops: number;
  readonly form: Form;
  readonly labelShape: Shape;
  readonly normal: Normal;
  /** Length of the dataset. */
  readonly length: number;
  readonly start: Position;
  /** Whether the places in a picture of means are needed. */
  readonly windows: boolean;
}

export interface Done {
  readonly task: Task;
  readonly piece: Piece;
}

/** Puts pieces together to batches; the last may be smaller. */
export async function* fill(pieces: AsyncIterable<Done>, plan: BatchPlan, pace: Pace): AsyncGenerator<Filled> {
  let filling = new Filling(plan, plan.start);
  for await (const done of pieces) {
    for (let from = 0; from < done.task.places.length;) {
      from = filling.add(done, from);
      if (!filling.full) continue;
      const made = filling.done();
      filling = new Filling(plan, made.position);
      yield made;
    }
    if (pace.due) await pace.rest();
  }
  if (filling.size > 0) yield filling.done();
}

/** A batch in the making. */
class Filling {
  size = 0;
  readonly #pixels: Uint8Array | Float32Array;
  readonly #labels: Float32Array;
  readonly #windows: Int32Array;
  readonly #shift: Float32Array;
  readonly #names: string[] = [];
  readonly #bad: BadPicture[] = [];
  #shifted = false;
  #position: Position;

  constructor(
    readonly plan: BatchPlan,
    start: Position,
  ) {
    const { batch, crops, form, labelShape } = plan;
    this.#pixels = new (form.floats ? Float32Array : Uint8Array)(batch * crops * count(form.shape));
    this.#labels = new Float32Array(batch * count(labelShape));
    this.#windows = new Int32Array(batch * crops * 3);
    this.#shift = new Float32Array(batch * crops * form.shape[0]!);
    this.#position = start;
  }

  get full(): boolean {
    return this.size === this.plan.batch;
  }

  /** Takes what has room, from one of the task's places on. Returns how far it came. */
  add({ task: { places }, piece }: Done, from: number): number {
    const { at, bad } = piece;
    const first = firstFrom(at, from);
    const taken = Math.min(this.plan.batch - this.size, at.length - first);
    this.#copy(piece, first, taken);
    const to = this.full ? at[first + taken - 1]! + 1 : places.length;
    for (const { at: place, name, reason } of bad) if (place >= from && place < to) this.#bad.push({ name, reason });
    this.#position = following(places[to - 1]!, this.plan.length);
    return to;
  }

  #copy({ pixels, labels, windows, shift, names }: Piece, first: number, taken: number): void {
    const { batch } = this.plan;
    const copy = <T extends Float32Array | Uint8Array | Int32Array>(from: T, to: T): void => {
      const size = to.length / batch;
      to.set(from.subarray(first * size, (first + taken) * size), this.size * size);
    };
    copy(pixels, this.#pixels);
    copy(labels, this.#labels);
    copy(windows, this.#windows);
    if (shift) copy(shift, this.#shift);
    this.#shifted = shift !== undefined;
    this.#names.push(...names.slice(first, first + taken));
    this.size += taken;
  }

  done(): Filled {
    const { batch, crops, form, labelShape, normal, windows } = this.plan;
    const part = <T extends Float32Array | Uint8Array | Int32Array>(whole: T): T =>
      whole.subarray(0, (whole.length / batch) * this.size) as T;
    return {
      images: {
        data: part(this.#pixels),
        shape: [this.size * crops, ...form.shape],
        ...normal,
        ...(windows && { windows: part(this.#windows) }),
        ...(this.#shifted && { shift: part(this.#shift) }),
      },
      labels: { data: part(this.#labels), shape: [this.size, ...labelShape] },
      size: this.size,
      names: this.#names,
      bad: this.#bad,
      position: this.#position,
    };
  }
}

/** The first index whose value is at least `from`. */
function firstFrom(ascending: readonly number[], from: number): number {
  const found = ascending.findIndex((value) => value >= from);
  return found < 0 ? ascending.length : found;
}
