import { philox } from '../random.js';

/** Rounds of the network below: from four on it cannot be told from a random permutation by Luby and Rackoff's measure. */
const ROUNDS = 6;

/**
 * A random permutation of 0 … length − 1 whose places are computed one by one: it needs no memory, is known at once at
 * any place, and is the same on every machine. A Feistel network over the bits of the length, walked again while it
 * leaves the range (Black and Rogaway 2002, "Ciphers with arbitrary finite domains", cycle walking).
 */
export class Order {
  readonly #key: readonly [number, number];
  readonly #low: number;
  readonly #high: number;

  /** `epoch` separates the permutations of one seed. */
  constructor(
    readonly length: number,
    seed: number,
    readonly epoch: number,
  ) {
    this.#key = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0];
    const bits = Math.max(2, Math.ceil(Math.log2(length)));
    this.#low = bits >> 1;
    this.#high = bits - this.#low;
  }

  /** What comes at a place from 0 to length − 1. */
  at(place: number): number {
    let value = place;
    do value = this.#scramble(value);
    while (value >= this.length);
    return value;
  }

  #scramble(value: number): number {
    const [low, high] = [2 ** this.#low, 2 ** this.#high];
    let right = value % low;
    let left = Math.floor(value / low);
    for (let round = 0; round < ROUNDS; round++) {
      if (round % 2 === 0) left = (left ^ this.#mix(right, round)) & (high - 1);
      else right = (right ^ this.#mix(left, round)) & (low - 1);
    }
    return left * low + right;
  }

  #mix(half: number, round: number): number {
    return philox([half, round, this.epoch >>> 0, 0x6f726465], this.#key)[0]!;
  }
}
