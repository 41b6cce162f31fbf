const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The nearest number that bfloat16 holds, whose lower half is zero; ties to even. */
export function toBf16(x: number): number {
  float[0] = x;
  bits[0] = ((bits[0]! + 0x7fff + ((bits[0]! >>> 16) & 1)) & 0xffff0000) >>> 0;
  return float[0];
}
