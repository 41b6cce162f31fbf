import { philox } from '../../random.js';
import type { Components } from '../transform.js';
import type { Position } from './piece.js';

/** Separates these random numbers from others of the same seed. */
const STREAM = 0x61756700;

/** What chance decides for one picture. It hangs on the seed, the epoch and the place alone. */
export class Draw {
  readonly #key: readonly [number, number];
  readonly #words: Uint32Array;

  constructor(
    seed: number,
    readonly position: Position,
  ) {
    this.#key = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0];
    this.#words = this.#block(0);
  }

  /** A top edge for a window with so many rows to spare. */
  top(spare: number): number {
    return Math.floor(uniform(this.#words[0]!) * (spare + 1));
  }

  left(spare: number): number {
    return Math.floor(uniform(this.#words[1]!) * (spare + 1));
  }

  get mirrored(): boolean {
    return this.#words[2]! >= 2 ** 31;
  }

  /**
   * What is added to each channel, of pixels from 0 to 255: a step along each component, normally distributed with
   * `deviation` times its eigenvalue (Krizhevsky et al. 2012, section 4.1).
   */
  shift(deviation: number, { values, vectors }: Components): number[] {
    const steps = values.map((value, i) => 255 * deviation * value * this.#normal(i));
    return values.map((_, channel) => steps.reduce((sum, step, i) => sum + step * vectors[i]![channel]!, 0));
  }

  /** Box and Muller 1958. */
  #normal(index: number): number {
    const words = this.#block(1 + index);
    return Math.sqrt(-2 * Math.log(uniform(words[0]!))) * Math.cos(2 * Math.PI * uniform(words[1]!));
  }

  #block(number: number): Uint32Array {
    const { epoch, place } = this.position;
    return philox([place >>> 0, Math.floor(place / 2 ** 32) >>> 0, epoch >>> 0, STREAM + number], this.#key);
  }
}

/** Within (0, 1). */
function uniform(word: number): number {
  return (word + 0.5) / 2 ** 32;
}
