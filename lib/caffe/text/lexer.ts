import { FormatError } from '../../errors.js';
import { unescape } from './quote.js';

/** A word, number, text in quotes, sign, or the end of the file. */
export interface Token {
  readonly kind: 'word' | 'number' | 'text' | 'sign' | 'end';
  /** As written; for text, the quoted part with its escapes. */
  readonly raw: string;
  readonly line: number;
  readonly column: number;
}

const WORD = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /0[xX][0-9A-Fa-f]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[fF]?/y;
const TEXT = /"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*'/y;
const SIGNS = '{}<>[]:,;-';

/** Cuts protocol buffer text into tokens, one at a time. */
export class Lexer {
  private at = 0;
  private line = 1;
  private lineStart = 0;
  private ahead: Token | undefined;

  constructor(
    private readonly text: string,
    readonly file: string,
  ) {}

  /** The coming token, left where it is. */
  peek(): Token {
    this.ahead ??= this.read();
    return this.ahead;
  }

  next(): Token {
    const token = this.peek();
    this.ahead = undefined;
    return token;
  }

  /** Takes the coming token if it is the given sign. */
  skip(sign: string): boolean {
    const token = this.peek();
    const matches = token.kind === 'sign' && token.raw === sign;
    if (matches) this.ahead = undefined;
    return matches;
  }

  /** An error at a token. */
  error(token: Token, message: string, options?: { cause?: unknown }): FormatError {
    return new FormatError(`${this.file}:${token.line}:${token.column}: ${message}`, options);
  }

  /** The bytes of a text token. */
  bytes(token: Token): Uint8Array {
    return unescape(token.raw.slice(1, -1), (message) => this.error(token, message));
  }

  private read(): Token {
    this.skipSpace();
    const start = this.at;
    const token = (kind: Token['kind'], raw: string): Token => {
      this.at = start + raw.length;
      return { kind, raw, line: this.line, column: start - this.lineStart + 1 };
    };
    const first = this.text[start];
    if (first === undefined) return token('end', '');
    if (SIGNS.includes(first)) return token('sign', first);
    if (first === '"' || first === "'") {
      const text = this.match(TEXT);
      if (text === undefined) throw this.error(token('text', first), 'this text has no closing quote on its line');
      return token('text', text);
    }
    const number = this.match(NUMBER);
    if (number !== undefined) {
      const glued = /[A-Za-z0-9_.]/.exec(this.text[start + number.length] ?? '');
      if (glued) throw this.error(token('number', number), `${number}${glued[0]} is not a number`);
      return token('number', number);
    }
    const word = this.match(WORD);
    if (word !== undefined) return token('word', word);
    throw this.error(token('sign', first), `unexpected character ${JSON.stringify(first)}`);
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    return pattern.exec(this.text)?.[0];
  }

  /** Passes blanks and comments, which run from # to the end of the line. */
  private skipSpace(): void {
    for (; this.at < this.text.length; this.at++) {
      const character = this.text.charCodeAt(this.at);
      if (character === 10) {
        this.line++;
        this.lineStart = this.at + 1;
      } else if (character === 35) {
        const end = this.text.indexOf('\n', this.at);
        this.at = (end < 0 ? this.text.length : end) - 1;
      } else if (character !== 32 && (character < 9 || character > 13)) return;
    }
  }
}
