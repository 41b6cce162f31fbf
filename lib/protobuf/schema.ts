/**
 * A small language to write down protocol buffer messages in TypeScript, so that one description gives the wire
 * codec, the text reader and writer, and the static types.
 */

/** What each scalar becomes in TypeScript. 64-bit integers are numbers, refused beyond ±2^53. */
interface ScalarValues {
  int32: number;
  int64: number;
  uint32: number;
  float: number;
  double: number;
  bool: boolean;
  string: string;
  bytes: Uint8Array;
}
export type Scalar = keyof ScalarValues;

/** An enumeration; its values are handled by name. */
export interface EnumType<Names extends string = string> {
  readonly kind: 'enum';
  readonly name: string;
  readonly values: Readonly<Record<Names, number>>;
}

export type Fields = Readonly<Record<string, Field>>;

/** A message type: its name in the format and its fields by name. */
export interface MessageType<F extends Fields = Fields> {
  readonly kind: 'message';
  readonly name: string;
  readonly fields: F;
}

export type FieldType = Scalar | EnumType | MessageType;

/** optional: absent means undefined. defaulted: absent means `fallback`. repeated: a list, empty when absent. */
export type Rule = 'optional' | 'defaulted' | 'required' | 'repeated';

export interface Field<T = unknown, R extends Rule = Rule> {
  readonly id: number;
  readonly type: FieldType;
  readonly rule: R;
  readonly packed: boolean;
  readonly fallback?: T;
  /** 64-bit integers are held within ±2^53 instead of being refused beyond. */
  readonly clamped?: boolean;
}

type ValueOf<T extends FieldType> = T extends Scalar
  ? ScalarValues[T]
  : T extends EnumType<infer Names>
    ? Names
    : T extends MessageType
      ? Message<T>
      : never;

type Value<F> = F extends Field<infer T> ? T : never;
type KeysOf<F extends Fields, R extends Rule> = { [K in keyof F]: F[K]['rule'] extends R ? K : never }[keyof F];
type Flat<T> = { [K in keyof T]: T[K] };

/** A message as it is read: unset fields are undefined, lists are always there. */
export type Message<M extends MessageType> = Flat<
  { -readonly [K in KeysOf<M['fields'], 'repeated'>]: Value<M['fields'][K]>[] } & {
    -readonly [K in KeysOf<M['fields'], 'required'>]: Value<M['fields'][K]>;
  } & { -readonly [K in KeysOf<M['fields'], 'optional' | 'defaulted'>]?: Value<M['fields'][K]> }
>;

/** A message whose unset fields have taken the defaults of the format. */
export type Filled<M extends MessageType> = Flat<
  { readonly [K in KeysOf<M['fields'], 'repeated'>]: readonly Value<M['fields'][K]>[] } & {
    readonly [K in KeysOf<M['fields'], 'required' | 'defaulted'>]: Value<M['fields'][K]>;
  } & { readonly [K in KeysOf<M['fields'], 'optional'>]?: Value<M['fields'][K]> }
>;

/** Declares an enumeration. */
export function enumeration<const V extends Readonly<Record<string, number>>>(
  name: string,
  values: V,
): EnumType<Extract<keyof V, string>> {
  return { kind: 'enum', name, values };
}

/** Declares a message. */
export function message<F extends Fields>(name: string, fields: F): MessageType<F> {
  return { kind: 'message', name, fields };
}

/** A field that may be absent; with `fallback`, the value that absence stands for. */
export function one<T extends FieldType>(type: T, id: number): Field<ValueOf<T>, 'optional'>;
export function one<T extends FieldType>(type: T, id: number, fallback: ValueOf<T>): Field<ValueOf<T>, 'defaulted'>;
export function one<T extends FieldType>(type: T, id: number, fallback?: ValueOf<T>): Field<ValueOf<T>> {
  if (fallback === undefined) return { id, type, rule: 'optional', packed: false };
  return { id, type, rule: 'defaulted', packed: false, fallback };
}

/** A field without which the message is refused. */
export function needed<T extends FieldType>(type: T, id: number): Field<ValueOf<T>, 'required'> {
  return { id, type, rule: 'required', packed: false };
}

/** A list. */
export function many<T extends FieldType>(type: T, id: number): Field<ValueOf<T>, 'repeated'> {
  return { id, type, rule: 'repeated', packed: false };
}

/** A list of numbers that is written as one run of bytes. Readers accept both forms of every list. */
export function packed<T extends FieldType>(type: T, id: number): Field<ValueOf<T>, 'repeated'> {
  return { id, type, rule: 'repeated', packed: true };
}

/** A field of 64-bit integers whose far ends mean "as far as it goes". */
export function clamped<F extends Field>(field: F): F {
  return { ...field, clamped: true };
}

/** An empty message, or one with the given fields. */
export function create<M extends MessageType>(type: M, fields: Partial<Message<M>> = {}): Message<M> {
  const made: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(type.fields)) if (field.rule === 'repeated') made[name] = [];
  return Object.assign(made, fields) as Message<M>;
}

/** The message with the defaults of the format in place of what is unset; no message counts as an empty one. */
export function filled<M extends MessageType>(type: M, value: Message<M> | undefined): Filled<M> {
  const made: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(type.fields)) {
    if (field.rule === 'repeated') made[name] = [];
    else if (field.rule === 'defaulted') made[name] = field.fallback;
  }
  for (const [name, set] of Object.entries(value ?? {})) if (set !== undefined) made[name] = set;
  return made as Filled<M>;
}
