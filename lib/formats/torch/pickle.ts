import { FormatError } from '../../errors.js';

/**
 * Reads Python's pickles as data. Nothing is executed: of Python's objects only those are made that `Admitted` knows, and
 * every other instruction is refused by its name and place. Values: None is null, a dict a Map, a list an Array, a tuple a
 * `Tuple`, whole numbers beyond ±2^53 are bigints. (Opcodes: CPython, Lib/pickletools.py.)
 */
export interface Admitted {
  /** What a global name stands for, called with the arguments of a reduction; undefined where it is not admitted. */
  global(module: string, name: string): unknown;
  /** What a persistent id stands for. */
  persistent(id: unknown): unknown;
}

/** An immutable sequence. */
export class Tuple {
  constructor(readonly items: readonly unknown[]) {}
}

/** A global that a reduction may call. Errors that it throws are told with their place. */
export class Callable {
  constructor(
    readonly name: string,
    readonly call: (args: readonly unknown[]) => unknown,
  ) {}
}

/** The bytes ended in the middle of a pickle. */
export class CutShort extends FormatError {}

/** Where instructions stop being a plausible description of tensors. */
const MOST_INSTRUCTIONS = 20_000_000;

/** Reads one pickle; `end` is the place behind it. @throws {FormatError} naming instruction and byte */
export function readPickle(
  bytes: Uint8Array,
  where: string,
  admitted: Admitted,
  start = 0,
): { readonly value: unknown; readonly end: number } {
  const machine = new Machine(bytes, where, admitted, start);
  return { value: machine.run(), end: machine.at };
}

const MARK = Symbol('mark');

class Machine {
  at: number;
  #began = 0;
  readonly #stack: unknown[] = [];
  readonly #memo = new Map<number, unknown>();
  readonly #view: DataView;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly where: string,
    private readonly admitted: Admitted,
    start: number,
  ) {
    this.at = start;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  run(): unknown {
    for (let i = 0; i < MOST_INSTRUCTIONS; i++) {
      this.#began = this.at;
      const code = this.unsigned(1);
      if (code === STOP) return this.pop();
      const step = INSTRUCTIONS[code];
      if (!step) throw this.error(`${REFUSED[code] ?? `opcode 0x${code.toString(16)}`} is not admitted`);
      step(this);
    }
    throw this.error(`expected at most ${MOST_INSTRUCTIONS} instructions`);
  }

  error(message: string, cause?: unknown): FormatError {
    return new FormatError(`${this.where}: pickle, byte ${this.#began}: ${message}`, { cause });
  }

  take(length: number): Uint8Array {
    if (length < 0 || this.at + length > this.bytes.length)
      throw new CutShort(`${this.where}: pickle, byte ${this.#began}: cut short, or no pickle`);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  unsigned(size: 1 | 2 | 4): number {
    const from = this.at;
    this.take(size);
    if (size === 1) return this.#view.getUint8(from);
    return size === 2 ? this.#view.getUint16(from, true) : this.#view.getUint32(from, true);
  }

  double(): number {
    const from = this.at;
    this.take(8);
    return this.#view.getFloat64(from);
  }

  text(length: number): string {
    return Buffer.from(this.take(length)).toString();
  }

  /** A line of the text instructions. */
  line(): string {
    const end = this.bytes.indexOf(10, this.at);
    const text = this.text((end < 0 ? this.bytes.length + 1 : end) - this.at);
    this.at++;
    return text;
  }

  push(value: unknown): void {
    this.#stack.push(value);
  }

  pop(): unknown {
    if (this.#stack.length === 0 || this.#stack.at(-1) === MARK) throw this.error('the stack is empty');
    return this.#stack.pop();
  }

  top(): unknown {
    const value = this.pop();
    this.push(value);
    return value;
  }

  mark(): void {
    this.#stack.push(MARK);
  }

  /** What lies above the last mark, which goes too. */
  marked(): unknown[] {
    const from = this.#stack.lastIndexOf(MARK);
    if (from < 0) throw this.error('expected a mark');
    return this.#stack.splice(from).slice(1);
  }

  remember(index = this.#memo.size): void {
    this.#memo.set(index, this.top());
  }

  recall(index: number): void {
    if (!this.#memo.has(index)) throw this.error(`nothing was remembered under ${index}`);
    this.push(this.#memo.get(index));
  }

  set(pairs: readonly unknown[]): void {
    const dict = this.top();
    if (!(dict instanceof Map) || pairs.length % 2 !== 0) throw this.error('expected keys and values for a dictionary');
    for (let i = 0; i < pairs.length; i += 2) {
      const key = pairs[i];
      if (!['string', 'number', 'boolean'].includes(typeof key))
        throw this.error('expected keys of text or whole numbers');
      dict.set(key, pairs[i + 1]);
    }
  }

  append(items: readonly unknown[]): void {
    const list = this.top();
    if (!Array.isArray(list)) throw this.error('expected a list to append to');
    for (const item of items) list.push(item);
  }

  global(module: string, name: string): void {
    const value = this.admitted.global(module, name);
    if (value === undefined)
      throw this.error(`${module}.${name} is not admitted: tensors are read, and nothing is executed`);
    this.push(value);
  }

  reduce(): void {
    const args = this.pop();
    const callable = this.pop();
    if (!(callable instanceof Callable) || !(args instanceof Tuple))
      throw this.error('REDUCE is admitted for the parts of tensors only');
    this.push(this.#told(() => callable.call(args.items)));
  }

  persistent(): void {
    const id = this.pop();
    this.push(this.#told(() => this.admitted.persistent(id)));
  }

  /** The attributes of a dictionary are notes on versions; nothing else may have some. */
  build(): void {
    this.pop();
    if (!(this.top() instanceof Map)) throw this.error('BUILD is admitted for dictionaries only');
  }

  #told<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      throw this.error(cause instanceof Error ? cause.message : String(cause), cause);
    }
  }
}

/** A whole number of two's complement, as LONG1 has it. */
function long(bytes: Uint8Array): number | bigint {
  const hex = Buffer.from(bytes).reverse().toString('hex');
  const value = bytes.length === 0 ? 0n : BigInt.asIntN(8 * bytes.length, BigInt(`0x${hex}`));
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

const tuple = (m: Machine, size: number): void =>
  m.push(new Tuple(Array.from({ length: size }, () => m.pop()).reverse()));

const STOP = 0x2e;

type Step = (machine: Machine) => void;

const INSTRUCTIONS: Readonly<Record<number, Step>> = {
  0x80: (m) => void m.take(1), // PROTO
  0x95: (m) => void m.take(8), // FRAME
  0x28: (m) => m.mark(), // MARK
  0x30: (m) => void m.pop(), // POP
  0x31: (m) => void m.marked(), // POP_MARK
  0x4e: (m) => m.push(null), // NONE
  0x88: (m) => m.push(true), // NEWTRUE
  0x89: (m) => m.push(false), // NEWFALSE
  0x4b: (m) => m.push(m.unsigned(1)), // BININT1
  0x4d: (m) => m.push(m.unsigned(2)), // BININT2
  0x4a: (m) => m.push(m.unsigned(4) | 0), // BININT
  0x8a: (m) => m.push(long(m.take(m.unsigned(1)))), // LONG1
  0x47: (m) => m.push(m.double()), // BINFLOAT
  0x8c: (m) => m.push(m.text(m.unsigned(1))), // SHORT_BINUNICODE
  0x58: (m) => m.push(m.text(m.unsigned(4))), // BINUNICODE
  0x55: (m) => m.push(m.text(m.unsigned(1))), // SHORT_BINSTRING
  0x54: (m) => m.push(m.text(m.unsigned(4))), // BINSTRING
  0x43: (m) => m.push(m.take(m.unsigned(1))), // SHORT_BINBYTES
  0x42: (m) => m.push(m.take(m.unsigned(4))), // BINBYTES
  0x29: (m) => tuple(m, 0), // EMPTY_TUPLE
  0x85: (m) => tuple(m, 1), // TUPLE1
  0x86: (m) => tuple(m, 2), // TUPLE2
  0x87: (m) => tuple(m, 3), // TUPLE3
  0x74: (m) => m.push(new Tuple(m.marked())), // TUPLE
  0x5d: (m) => m.push([]), // EMPTY_LIST
  0x61: (m) => m.append([m.pop()]), // APPEND
  0x65: (m) => m.append(m.marked()), // APPENDS
  0x7d: (m) => m.push(new Map()), // EMPTY_DICT
  0x73: (m) => m.set([m.pop(), m.pop()].reverse()), // SETITEM
  0x75: (m) => m.set(m.marked()), // SETITEMS
  0x71: (m) => m.remember(m.unsigned(1)), // BINPUT
  0x72: (m) => m.remember(m.unsigned(4)), // LONG_BINPUT
  0x94: (m) => m.remember(), // MEMOIZE
  0x68: (m) => m.recall(m.unsigned(1)), // BINGET
  0x6a: (m) => m.recall(m.unsigned(4)), // LONG_BINGET
  0x63: (m) => m.global(m.line(), m.line()), // GLOBAL
  // STACK_GLOBAL
  0x93(m) {
    const [name, module] = [m.pop(), m.pop()];
    if (typeof name !== 'string' || typeof module !== 'string') throw m.error('expected the name of a global');
    m.global(module, name);
  },
  0x52: (m) => m.reduce(), // REDUCE
  0x62: (m) => m.build(), // BUILD
  0x51: (m) => m.persistent(), // BINPERSID
};

/** Names of instructions that tensors do not need. */
const REFUSED: Readonly<Record<number, string>> = {
  ...{ 0x81: 'NEWOBJ', 0x92: 'NEWOBJ_EX', 0x69: 'INST', 0x6f: 'OBJ', 0x82: 'EXT1', 0x83: 'EXT2', 0x84: 'EXT4' },
  ...{ 0x32: 'DUP', 0x46: 'FLOAT', 0x49: 'INT', 0x4c: 'LONG', 0x8b: 'LONG4', 0x53: 'STRING', 0x56: 'UNICODE' },
  ...{ 0x50: 'PERSID', 0x64: 'DICT', 0x6c: 'LIST', 0x67: 'GET', 0x70: 'PUT', 0x8d: 'BINUNICODE8', 0x8e: 'BINBYTES8' },
  ...{ 0x8f: 'EMPTY_SET', 0x90: 'ADDITEMS', 0x91: 'FROZENSET', 0x96: 'BYTEARRAY8', 0x97: 'NEXT_BUFFER' },
  0x98: 'READONLY_BUFFER',
};
