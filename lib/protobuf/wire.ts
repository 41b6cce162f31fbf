import protobuf from 'protobufjs/light.js';
import { FormatError } from '../errors.js';
import { decimal } from './float32.js';
import { create, type Field, type Message, type MessageType } from './schema.js';

type Plain = Record<string, unknown>;

const codecs = new Map<MessageType, protobuf.Type>();

/** The library's codec for a message and all that it holds. */
function codecOf(type: MessageType): protobuf.Type {
  let codec = codecs.get(type);
  if (!codec) {
    const nested: Record<string, protobuf.IType> = {};
    describe(type, nested);
    codec = protobuf.Root.fromJSON({ nested }).lookupType(type.name);
    codecs.set(type, codec);
  }
  return codec;
}

function describe(type: MessageType, into: Record<string, protobuf.IType>): void {
  if (Object.hasOwn(into, type.name)) return;
  const fields: Record<string, protobuf.IField> = {};
  into[type.name] = { edition: 'proto2', fields };
  for (const [name, { id, type: of, rule, packed }] of Object.entries(type.fields)) {
    const repeated = rule === 'repeated' ? { rule, options: { packed } } : {};
    fields[name] = { id, type: wireName(of), ...repeated };
    if (typeof of !== 'string' && of.kind === 'message') describe(of, into);
  }
}

/** Enumerations travel as numbers, so that a value outside of them is seen rather than dropped. */
function wireName(type: Field['type']): string {
  if (typeof type === 'string') return type;
  return type.kind === 'enum' ? 'int32' : type.name;
}

/**
 * Decodes a message. Fields that the format does not know are passed over, as every reader of it does.
 * @param where Names the message in errors; `origin` is the offset of its first byte in the file.
 */
export function decodeMessage<M extends MessageType>(
  type: M,
  bytes: Uint8Array,
  where: string,
  origin = 0,
): Message<M> {
  const reader = protobuf.Reader.create(bytes);
  try {
    return fromWire(type, codecOf(type).decode(reader), where) as Message<M>;
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw broken(where, origin + reader.pos, cause);
  }
}

/** Encodes a message, or only its fields for which `chosen` holds. */
export function encodeMessage<M extends MessageType>(
  type: M,
  message: Message<M>,
  chosen: (field: Field) => boolean = () => true,
): Uint8Array {
  return codecOf(type)
    .encode(toWire(type, message, chosen))
    .finish();
}

/** A message in pieces as a field of another. */
export function nest(id: number, pieces: readonly Uint8Array[]): Uint8Array[] {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return [
    protobuf.Writer.create()
      .uint32((id << 3) | 2)
      .uint32(length)
      .finish(),
    ...pieces,
  ];
}

/** The error for bytes that are not a message. */
export function broken(where: string, offset: number, cause: unknown): FormatError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new FormatError(`${where}: broken or cut off at byte ${offset}: ${reason}`, { cause });
}

function fromWire(type: MessageType, wire: Plain, where: string): Plain {
  const made: Plain = create(type);
  for (const [name, field] of Object.entries(type.fields)) {
    if (!Object.hasOwn(wire, name)) {
      if (field.rule === 'required') throw new FormatError(`${where}: ${type.name} needs ${name}`);
      continue;
    }
    const one = (value: unknown): unknown => fromWireValue(field, value, `${where}: ${type.name}.${name}`);
    const value = wire[name];
    made[name] = Array.isArray(value) ? value.map(one) : one(value);
  }
  return made;
}

function fromWireValue({ type, clamped }: Field, value: unknown, where: string): unknown {
  if (type === 'float') return decimal(value as number);
  if (type === 'int64') return clamped ? nearest(value) : wholeNumber(value, where);
  if (type === 'bytes') return plainBytes(value as Uint8Array);
  if (typeof type === 'string') return value;
  if (type.kind === 'message') return fromWire(type, value as Plain, where);
  const name = Object.keys(type.values).find((each) => type.values[each] === value);
  if (name === undefined) throw new FormatError(`${where}: ${String(value)} is not a value of ${type.name}`);
  return name;
}

/** The same bytes without what Node adds to its own. */
function plainBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** A 64-bit integer as a number. */
function wholeNumber(value: unknown, where: string): number {
  const number = Number(String(value));
  if (!Number.isSafeInteger(number)) throw new FormatError(`${where}: ${String(value)} is beyond ±2^53`);
  return number;
}

/** The nearest number that is exact. */
function nearest(value: unknown): number {
  return Math.min(Number.MAX_SAFE_INTEGER, Math.max(Number.MIN_SAFE_INTEGER, Number(String(value))));
}

function toWire(type: MessageType, message: Plain, chosen: (field: Field) => boolean): Plain {
  const made: Plain = {};
  for (const [name, field] of Object.entries(type.fields)) {
    const value = message[name];
    if (value === undefined || !chosen(field)) continue;
    made[name] = Array.isArray(value) ? value.map((each) => toWireValue(field, each)) : toWireValue(field, value);
  }
  return made;
}

function toWireValue({ type }: Field, value: unknown): unknown {
  if (typeof type === 'string') return value;
  if (type.kind === 'enum') return type.values[value as string];
  return toWire(type, value as Plain, () => true);
}
