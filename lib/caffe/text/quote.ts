const ESCAPES: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  t: 9,
  n: 10,
  v: 11,
  f: 12,
  r: 13,
  '"': 34,
  "'": 39,
  '?': 63,
  '\\': 92,
};
const ESCAPE = /\\(?:([abtnvfr"'?\\])|([0-7]{1,3})|[xX]([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))/gsu;

/** The bytes that the inside of a quoted text stands for. `fail` makes the error for an escape that does not exist. */
export function unescape(inside: string, fail: (message: string) => Error): Uint8Array {
  if (!inside.includes('\\')) return Buffer.from(inside);
  const parts: Uint8Array[] = [];
  let end = 0;
  for (const match of inside.matchAll(ESCAPE)) {
    parts.push(Buffer.from(inside.slice(end, match.index)), escaped(match, fail));
    end = match.index + match[0].length;
  }
  parts.push(Buffer.from(inside.slice(end)));
  return Buffer.concat(parts);
}

function escaped(match: RegExpMatchArray, fail: (message: string) => Error): Uint8Array {
  const [whole, letter, octal, hex, short, long] = match;
  if (letter !== undefined) return Uint8Array.of(ESCAPES[letter]!);
  if (octal !== undefined && parseInt(octal, 8) < 256) return Uint8Array.of(parseInt(octal, 8));
  if (hex !== undefined) return Uint8Array.of(parseInt(hex, 16));
  const point = parseInt(short ?? long ?? 'x', 16);
  if (point <= 0x10ffff && (point < 0xd800 || point > 0xdfff)) return Buffer.from(String.fromCodePoint(point));
  throw fail(`${whole} is not an escape of this format`);
}

const NAMED: Readonly<Record<number, string>> = { 9: '\\t', 10: '\\n', 13: '\\r', 34: '\\"', 39: "\\'", 92: '\\\\' };

/** Bytes as text in double quotes; what is not plain ASCII becomes an octal escape. */
export function quote(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) {
    const plain = byte >= 32 && byte < 127 ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, '0')}`;
    text += NAMED[byte] ?? plain;
  }
  return `"${text}"`;
}
