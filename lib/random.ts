/**
 * Counter-based random numbers: Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"). The same
 * generator as native/kernels/random.h, so a seed means the same everywhere.
 */
export class Random {
  readonly #key: readonly [number, number];
  readonly #stream: number;
  #counter = 0;
  #block: Uint32Array = new Uint32Array(4);
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
      this.#block = philox([this.#counter >>> 0, Math.floor(this.#counter / 2 ** 32), this.#stream, 0], this.#key);
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
  key: readonly [number, number],
): Uint32Array {
  let [a, b, c, d] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const p0 = multiply(0xd2511f53, a);
    const p1 = multiply(0xcd9e8d57, c);
    [a, b, c, d] = [(p1.high ^ b ^ k0) >>> 0, p1.low, (p0.high ^ d ^ k1) >>> 0, p0.low];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return Uint32Array.of(a, b, c, d);
}

/** 32 × 32 → 64 bits, in two words: 16-bit halves keep every product exact in a double. */
function multiply(x: number, y: number): { high: number; low: number } {
  const yLow = y & 0xffff;
  const yHigh = y >>> 16;
  const low = x * yLow; // < 2^48
  const high = x * yHigh; // < 2^48, worth 2^16
  const sum = low + (high % 0x10000) * 0x10000; // < 2^49
  return { high: (Math.floor(high / 0x10000) + Math.floor(sum / 2 ** 32)) >>> 0, low: sum >>> 0 };
}
