/**
 * The shortest decimal that a 32-bit number stands for: 0.1 rather than 0.10000000149011612. Settings are kept in this
 * form, so that a net read from text equals the same net read from a binary file.
 */
export function decimal(value: number): number {
  const exact = Math.fround(value);
  if (!Number.isFinite(exact)) return exact;
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(exact.toPrecision(digits));
    if (Math.fround(short) === exact) return short;
  }
  return Number(exact.toPrecision(9));
}
