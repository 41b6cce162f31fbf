import { FormatError } from '../../errors.js';
import type { BadPicture, Piece, Place } from './piece.js';

/** Counts the pictures of a dataset that cannot be read, each once, and gives up when they are too many. */
export class Tally {
  readonly #bad = new Map<number, BadPicture>();
  /** Since the last good one. */
  #inARow = 0;

  constructor(
    readonly name: string,
    /** Of the dataset. */
    readonly length: number,
    readonly most: number,
  ) {}

  get bad(): readonly BadPicture[] {
    return [...this.#bad.values()];
  }

  /** @throws {FormatError} when there are more than `most`, or nothing but bad pictures */
  count(places: readonly Place[], { at: good, bad }: Pick<Piece, 'at' | 'bad'>): void {
    this.#inARow = good.length > 0 ? 0 : this.#inARow + bad.length;
    for (const { at, name, reason } of bad) this.add(places[at]!.index, { name, reason });
    this.#check(this.#inARow >= this.length);
  }

  add(index: number, picture: BadPicture): void {
    this.#bad.set(index, picture);
    this.#check(this.#bad.size >= this.length);
  }

  #check(none: boolean): void {
    const { name, reason } = this.bad.at(-1) ?? { name: '', reason: '' };
    if (none)
      throw new FormatError(
        `${this.name}: none of its ${this.length} pictures can be read; the last, ${name}: ${reason}`,
      );
    if (this.#bad.size > this.most) {
      throw new FormatError(
        `${this.name}: more than ${this.most} pictures cannot be read; the last, ${name}: ${reason}; mostBad allows more`,
      );
    }
  }
}
