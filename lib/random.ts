/**
 * Counter-based random numbers: Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"). The same
 * generator as native/kernels/random.h, so a seed means the same everywhere.
 */
export class Random {
  readonly #key: readonly [number, number];
  readonly #stream: number;
  readonly #block = new Uint32Array(4);
  #counter = 0;
  #left = 0;
  #spare: number | undefined;

  /** `stream` separates independent sequences of one seed (one per parameter, say). */
  constructor(seed: number, stream = 0) {
    this.#key = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0];
    this.#stream = stream >>> 0;
  }

  /** 32 random bits. */
  bits(): number {
    if (this.#left === 0) {
      const [k0, k1] = this.#key;
      fill(this.#block, this.#counter >>> 0, Math.floor(this.#counter / 2 ** 32), this.#stream, 0, k0, k1);
      this.#counter++;
      this.#left = 4;
    }
    return this.#block[4 - this.#left--]!;
  }

  /** Uniform in [min, max). */
  uniform(min = 0, max = 1): number {
    return min + ((this.bits() + 0.5) / 2 ** 32) * (max - min);
  }

  /** Normal with mean 0 and deviation 1: Box and Muller 1958, both values used. */
  normal(): number {
    if (this.#spare !== undefined) {
      const value = this.#spare;
      this.#spare = undefined;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.#spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** A whole number in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.uniform(0, limit));
  }
}

/** One block of Philox 4x32 with ten rounds: four 32-bit words from a 128-bit counter and a 64-bit key. */
export function philox(
  counter: readonly [number, number, number, number],
  [k0, k1]: readonly [number, number],
): Uint32Array {
  return fill(new Uint32Array(4), ...counter, k0, k1);
}

/** The same into `to`, from the counter's words a to d. Whole numbers of 32 bits all along, which is what makes it fast. */
function fill(to: Uint32Array, a: number, b: number, c: number, d: number, k0: number, k1: number): Uint32Array {
  for (let round = 0; round < 10; round++) {
    const high = highOf(0xd2511f53, a);
    const low = Math.imul(0xd2511f53, a);
    a = highOf(0xcd9e8d57, c) ^ b ^ k0;
    b = Math.imul(0xcd9e8d57, c);
    c = high ^ d ^ k1;
    d = low;
    k0 = (k0 + 0x9e3779b9) | 0;
    k1 = (k1 + 0xbb67ae85) | 0;
  }
  to[0] = a;
  to[1] = b;
  to[2] = c;
  to[3] = d;
  return to;
}

/** The upper 32 of the 64 bits of x y, by halves of 16 bits: no sum on the way has more than 32. */
function highOf(x: number, y: number): number {
  const xLow = x & 0xffff;
  const xHigh = x >>> 16;
  const yLow = y & 0xffff;
  const yHigh = y >>> 16;
  const middle = (Math.imul(xHigh, yLow) + (Math.imul(xLow, yLow) >>> 16)) | 0;
  const other = (Math.imul(xLow, yHigh) + (middle & 0xffff)) | 0;
  return (Math.imul(xHigh, yHigh) + (middle >>> 16) + (other >>> 16)) | 0;
}
