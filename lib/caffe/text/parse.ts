import { FormatError } from '../../errors.js';
import { create, type Field, type Message, type MessageType } from '../../protobuf/schema.js';
import { Lexer, type Token } from './lexer.js';
import { nearest } from './nearest.js';
import { at, place } from './position.js';
import { readScalar } from './scalar.js';

/** Deeper nesting than any message of the format allows. */
const DEEPEST = 32;

/** More text than this is not a net that anyone wrote. */
const MOST_CHARACTERS = 16 * 1024 * 1024;

/**
 * Reads a message from protocol buffer text.
 *
 * A field given twice counts as Caffe counts it: the later value stands, messages are merged, lists grow.
 *
 * @param file Name to show in errors.
 * @throws {FormatError} naming file, line and column: unknown fields, values of another type, text over 16 MiB.
 */
export function parseText<M extends MessageType>(type: M, text: string, file = 'prototxt'): Message<M> {
  if (text.length > MOST_CHARACTERS) {
    throw new FormatError(`${file}: expected at most ${MOST_CHARACTERS} characters, got ${text.length}`);
  }
  const lexer = new Lexer(text.startsWith('\uFEFF') ? text.slice(1) : text, file);
  const made = create(type);
  place(made, { file, line: 1, column: 1 });
  readFields(lexer, type, made, '', 0);
  return made;
}

/** A message while it is being filled. */
type Open = Record<string, unknown>;

function readFields(lexer: Lexer, type: MessageType, into: Open, close: string, depth: number): void {
  for (;;) {
    const token = lexer.next();
    const done = token.kind === 'end' ? close === '' : token.kind === 'sign' && token.raw === close;
    if (done) break;
    if (token.kind === 'end')
      throw lexer.error(token, `expected ${close} to close ${type.name}, got the end of the file`);
    readField(lexer, type, into, token, depth);
    if (!lexer.skip(',')) lexer.skip(';');
  }
  checkNeeded(type, into);
}

function readField(lexer: Lexer, type: MessageType, into: Open, name: Token, depth: number): void {
  const field = fieldOf(lexer, type, name);
  const colon = lexer.skip(':');
  const nested = typeof field.type !== 'string' && field.type.kind === 'message';
  if (!colon && !nested) throw lexer.error(lexer.peek(), `expected : after ${name.raw}, got ${lexer.peek().raw}`);
  if (!lexer.skip('[')) {
    readValue(lexer, field, into, name, depth);
    return;
  }
  if (field.rule !== 'repeated') throw lexer.error(name, `${name.raw} takes one value, got a list`);
  if (lexer.skip(']')) return;
  do readValue(lexer, field, into, name, depth);
  while (lexer.skip(','));
  if (lexer.skip(']')) return;
  throw lexer.error(lexer.peek(), `expected , or ] in the list of ${name.raw}, got ${lexer.peek().raw}`);
}

function fieldOf(lexer: Lexer, type: MessageType, name: Token): Field {
  if (name.kind !== 'word') throw lexer.error(name, `expected a field of ${type.name}, got ${name.raw}`);
  const field = Object.hasOwn(type.fields, name.raw) ? type.fields[name.raw] : undefined;
  if (field) return field;
  const guess = nearest(name.raw, Object.keys(type.fields));
  const hint = guess === undefined ? '' : `; did you mean ${guess}?`;
  throw lexer.error(name, `${type.name} has no field ${name.raw}${hint}`);
}

function readValue(lexer: Lexer, field: Field, into: Open, name: Token, depth: number): void {
  const before = into[name.raw];
  let value: unknown;
  if (typeof field.type === 'string' || field.type.kind === 'enum') value = readScalar(lexer, field.type, name.raw);
  else value = readMessage(lexer, field.type, isOpen(before) ? before : undefined, name, depth);
  if (Array.isArray(before)) before.push(value);
  else into[name.raw] = value;
}

/** A singular message that was given before is added to. */
function readMessage(lexer: Lexer, type: MessageType, before: Open | undefined, name: Token, depth: number): Open {
  const open = lexer.next();
  if (open.kind !== 'sign' || (open.raw !== '{' && open.raw !== '<')) {
    throw lexer.error(open, `expected { after ${name.raw}, got ${open.raw || 'the end of the file'}`);
  }
  if (depth >= DEEPEST) throw lexer.error(open, `expected at most ${DEEPEST} messages inside each other`);
  const value: Open = before ?? create(type);
  if (!before) place(value, { file: lexer.file, line: name.line, column: name.column });
  readFields(lexer, type, value, open.raw === '{' ? '}' : '>', depth + 1);
  return value;
}

function isOpen(value: unknown): value is Open {
  return typeof value === 'object' && !Array.isArray(value);
}

function checkNeeded(type: MessageType, value: Open): void {
  for (const [name, field] of Object.entries(type.fields)) {
    if (field.rule === 'required' && value[name] === undefined) {
      throw new FormatError(`${at(value)}${type.name} needs ${name}`);
    }
  }
}
