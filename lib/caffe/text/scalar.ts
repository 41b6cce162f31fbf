import { decimal } from '../../protobuf/float32.js';
import type { EnumType, Scalar } from '../../protobuf/schema.js';
import type { Lexer, Token } from './lexer.js';

const UTF8 = new TextDecoder('utf-8', { fatal: true });
const BOOLS: Readonly<Record<string, boolean>> = {
  true: true,
  True: true,
  t: true,
  '1': true,
  false: false,
  False: false,
  f: false,
  '0': false,
};
const LIMITS = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
} as const;

/** Reads one value of a field; `name` is the field's, for errors. */
export function readScalar(lexer: Lexer, type: Scalar | EnumType, name: string): unknown {
  if (typeof type !== 'string') return readEnum(lexer, type, name);
  switch (type) {
    case 'string':
      return readString(lexer, name);
    case 'bytes':
      return readBytes(lexer, name);
    case 'bool':
      return readBool(lexer, name);
    case 'float':
      return decimal(readReal(lexer, name));
    case 'double':
      return readReal(lexer, name);
    default:
      return readInteger(lexer, type, name);
  }
}

function shown(token: Token): string {
  return token.kind === 'end' ? 'the end of the file' : token.raw;
}

function signed(lexer: Lexer): { token: Token; sign: 1 | -1 } {
  const sign = lexer.skip('-') ? -1 : 1;
  return { token: lexer.next(), sign };
}

function readEnum(lexer: Lexer, type: EnumType, name: string): string {
  const { token, sign } = signed(lexer);
  if (token.kind === 'word' && sign > 0 && Object.hasOwn(type.values, token.raw)) return token.raw;
  if (token.kind === 'number') {
    const known = Object.entries(type.values).find(([, value]) => value === sign * Number(token.raw));
    if (known) return known[0];
  }
  const names = Object.keys(type.values).join(', ');
  throw lexer.error(token, `expected ${name} to be one of ${names}, got ${shown(token)}`);
}

function readInteger(lexer: Lexer, type: keyof typeof LIMITS, name: string): number {
  const { token, sign } = signed(lexer);
  const octal = /^0[0-7]+$/.test(token.raw);
  const whole = token.kind === 'number' && /^(?:0[xX][0-9A-Fa-f]+|0|[1-9]\d*)$/.test(token.raw);
  const value = octal ? parseInt(token.raw, 8) : Number(token.raw);
  if (!whole && !octal) throw lexer.error(token, `expected ${name} to be a whole number, got ${shown(token)}`);
  const [least, most] = LIMITS[type];
  if (sign * value < least || sign * value > most) {
    throw lexer.error(token, `expected ${name} between ${least} and ${most}, got ${sign < 0 ? '-' : ''}${token.raw}`);
  }
  return value === 0 ? 0 : sign * value;
}

function readReal(lexer: Lexer, name: string): number {
  const { token, sign } = signed(lexer);
  const word = token.kind === 'word' ? token.raw.toLowerCase() : '';
  if (word === 'inf' || word === 'infinity') return sign * Infinity;
  if (word === 'nan') return NaN;
  const fits = token.kind === 'number' && !/^0(?:[xX]|\d+$)/.test(token.raw);
  if (!fits) throw lexer.error(token, `expected ${name} to be a number, got ${shown(token)}`);
  return sign * Number(token.raw.replace(/[fF]$/, ''));
}

function readBool(lexer: Lexer, name: string): boolean {
  const token = lexer.next();
  const value = token.kind === 'word' || token.kind === 'number' ? BOOLS[token.raw] : undefined;
  if (value === undefined) throw lexer.error(token, `expected ${name} to be true or false, got ${shown(token)}`);
  return value;
}

/** Texts that stand side by side are one. */
function readBytes(lexer: Lexer, name: string): Uint8Array {
  const first = lexer.next();
  if (first.kind !== 'text') throw lexer.error(first, `expected ${name} to be text in quotes, got ${shown(first)}`);
  const parts = [lexer.bytes(first)];
  while (lexer.peek().kind === 'text') parts.push(lexer.bytes(lexer.next()));
  return Uint8Array.from(parts.length === 1 ? parts[0]! : Buffer.concat(parts));
}

function readString(lexer: Lexer, name: string): string {
  const start = lexer.peek();
  const bytes = readBytes(lexer, name);
  try {
    return UTF8.decode(bytes);
  } catch (cause) {
    throw lexer.error(start, `expected ${name} to be UTF-8`, { cause });
  }
}
