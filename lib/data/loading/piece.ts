import type { ReaderSpec } from '../dataset.js';
import type { Shape } from '../../shape.js';
import type { TransformOptions } from '../transform.js';

/** Where a loader stands: the item that it reads next. */
export interface Position {
  readonly epoch: number;
  /** From 0, in the order of this epoch. */
  readonly place: number;
}

/** A picture that was left out. */
export interface BadPicture {
  readonly name: string;
  readonly reason: string;
}

/** An item to be read. */
export interface Place extends Position {
  /** In the dataset. */
  readonly index: number;
  /** The dataset's, for its reader. */
  readonly ref: unknown;
}

/** What pictures look like on their way to the net. */
export interface Form {
  /** (C, H, W) */
  readonly shape: Shape;
  /** Whether they are numbers of any size rather than bytes. */
  readonly floats: boolean;
}

/** What a thread needs to know to make pictures of items. */
export interface Setup {
  /** Of the dataset. */
  readonly name: string;
  readonly reader: ReaderSpec;
  readonly transform: Omit<TransformOptions, 'mean' | 'scale'>;
  /** Extents of a picture of means. */
  readonly mean: readonly [height: number, width: number] | undefined;
  readonly labelShape: Shape;
  /** Labels are below; undefined: any will do. */
  readonly classes: number | undefined;
  /** Cuts anywhere, mirrors and jitters; otherwise takes the middle. */
  readonly random: boolean;
  readonly seed: number;
  /** Takes ten crops of each picture. */
  readonly oversample: boolean;
}

/** Some items that follow each other. */
export interface Task {
  readonly places: readonly Place[];
  readonly form: Form;
}

/** What a thread made of a task, the pictures that could be made one behind the other. */
export interface Piece {
  /** Where they stand in the task. */
  readonly at: readonly number[];
  readonly names: readonly string[];
  readonly pixels: Uint8Array | Float32Array;
  readonly labels: Float32Array;
  /** As in `Images`. */
  readonly windows: Int32Array;
  /** As in `Images`. */
  readonly shift: Float32Array | undefined;
  readonly bad: readonly (BadPicture & { readonly at: number })[];
}

/** Items to be added up: pixel by pixel, or their colours. */
export interface SumTask extends Task {
  readonly of: 'pixels' | 'colours';
}

/** What the pictures of a task add up to. */
export interface Sums extends Pick<Piece, 'at' | 'bad'> {
  /** Of pixels: (C, H, W). Of colours: the products (C + 1, C + 1) of the channels, and of 1, over all pixels. */
  readonly values: Float64Array;
}

/** Crops of one picture. */
export const CROPS = 10;
