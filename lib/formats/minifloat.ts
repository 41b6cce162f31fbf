/** A float of at most 16 bits. */
export interface Minifloat {
  readonly exponent: number;
  readonly mantissa: number;
  readonly bias: number;
  /**
   * Codes that are no ordinary numbers. ieee: the largest exponent stands for infinity and NaN. top-nan: only the largest
   * magnitude is NaN, nothing is infinite. minus-zero-nan: only the code of −0 is NaN. power: no sign and no zero, a power of two;
   * the largest code is NaN. (IEEE 754, section 3.4; OCP 8-bit floating point, table 1, and microscaling formats, section 5.4;
   * Noune et al. 2022, "8-bit numerical formats for deep neural networks".)
   */
  readonly special: 'ieee' | 'top-nan' | 'minus-zero-nan' | 'power';
}

const tables = new Map<string, Float32Array>();

/** Every value of a format by its code. float32 holds all of them. */
export function minifloat(format: Minifloat): Float32Array {
  const key = Object.values(format).join();
  let table = tables.get(key);
  if (!table) {
    const bits = format.exponent + format.mantissa + (format.special === 'power' ? 0 : 1);
    table = Float32Array.from({ length: 2 ** bits }, (_, code) => valueOf(format, code));
    tables.set(key, table);
  }
  return table;
}

function valueOf({ exponent, mantissa, bias, special }: Minifloat, code: number): number {
  if (special === 'power') return code === 2 ** exponent - 1 ? NaN : 2 ** (code - bias);
  const sign = code >> (exponent + mantissa) ? -1 : 1;
  const power = (code >> mantissa) & (2 ** exponent - 1);
  const fraction = (code & (2 ** mantissa - 1)) / 2 ** mantissa;
  const top = power === 2 ** exponent - 1;
  if (special === 'ieee' && top) return fraction === 0 ? sign * Infinity : NaN;
  if (special === 'top-nan' && top && fraction === 1 - 2 ** -mantissa) return NaN;
  if (special === 'minus-zero-nan' && sign < 0 && power === 0 && fraction === 0) return NaN;
  return sign * (power === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (power - bias));
}
