import type { Shape } from '../shape.js';
import type { TransformOptions } from './transform.js';

/** A picture as it is stored: a file's bytes (or the path of the file), or planes of pixels in the order of the net's channels. */
export type Stored =
  { readonly encoded: Uint8Array | string } | { readonly pixels: Uint8Array | Float32Array; readonly shape: Shape };

/** One element of a dataset. */
export interface Item {
  /** For people: a path, a key. */
  readonly name: string;
  readonly picture: Stored;
  /** One number, or as many as the dataset's `labelShape` says. */
  readonly label: number | Float32Array;
}

/** Reads items in one thread. `Ref` is plain data that says where one lies: a path, a key, a row. */
export interface Reader<Ref> {
  /** @throws {FormatError} for this one item; the others stay readable */
  read(ref: Ref): Item | Promise<Item>;
  /** Gives back what it has open. */
  close(): void | Promise<void>;
}

/** How a worker thread opens a reader: plain data; `kind` is a key of `readers.ts`. */
export interface ReaderSpec {
  readonly kind: string;
}

/** A collection of labelled pictures with random access. Made by `imageFolder`, `lmdb` and the like. */
export interface Dataset<Ref = unknown> {
  /** For people: the path. */
  readonly name: string;
  readonly length: number;
  /** Names of the classes in the order of their labels, where the dataset knows them. */
  readonly classes: readonly string[] | undefined;
  /** Of one label: `[]` for a number. */
  readonly labelShape: Shape;
  readonly reader: ReaderSpec;
  readonly transform: TransformOptions;
  /** Where the item of an index from 0 to length − 1 lies. */
  ref(index: number): Ref;
  /** Its label, where the dataset knows it without reading the item. */
  label?(index: number): number;
}
