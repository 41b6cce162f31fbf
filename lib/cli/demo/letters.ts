/** Rows of five bits for each sign: enough to caption a picture on machines without a font. */
const ROWS: Readonly<Record<string, string>> = {
  a: '0e11111f11111100',
  b: '1e11111e11111e00',
  c: '0e11101010110e00',
  d: '1e11111111111e00',
  e: '1f10101e10101f00',
  f: '1f10101e10101000',
  g: '0e11101713110f00',
  h: '1111111f11111100',
  i: '0e04040404040e00',
  j: '0702020202120c00',
  k: '1112141814121100',
  l: '1010101010101f00',
  m: '111b151511111100',
  n: '1119151311111100',
  o: '0e11111111110e00',
  p: '1e11111e10101000',
  q: '0e11111115120d00',
  r: '1e11111e14121100',
  s: '0f10100e01011e00',
  t: '1f04040404040400',
  u: '1111111111110e00',
  v: '11111111110a0400',
  w: '1111111515150a00',
  x: '11110a040a111100',
  y: '11110a0404040400',
  z: '1f01020408101f00',
  '0': '0e11131519110e00',
  '1': '040c040404040e00',
  '2': '0e11010204081f00',
  '3': '1f02040201110e00',
  '4': '02060a121f020200',
  '5': '1f101e0101110e00',
  '6': '0608101e11110e00',
  '7': '1f01020408080800',
  '8': '0e11110e11110e00',
  '9': '0e11110f01020c00',
  '%': '1819020408131300',
  '?': '0e11010204000400',
};

export const LETTER_WIDTH = 6;
export const LETTER_HEIGHT = 7;

/** Calls `dot` for every dot of a line of text, from its top left corner; unknown signs leave a gap. */
export function write(text: string, dot: (x: number, y: number) => void): void {
  Array.from(text.toLowerCase()).forEach((sign, i) => {
    const rows = ROWS[sign];
    for (let y = 0; rows && y < LETTER_HEIGHT; y++) {
      const bits = parseInt(rows.slice(2 * y, 2 * y + 2), 16);
      for (let x = 0; x < 5; x++) if ((bits >> (4 - x)) & 1) dot(LETTER_WIDTH * i + x, y);
    }
  });
}
