import fc from 'fast-check';
import { create, type Field, type Message, type MessageType } from '../../lib/caffe/schema.js';
import { decimal } from '../../lib/protobuf/float32.js';

export function isMessage(value: unknown): value is MessageType {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'message';
}

/** Any message of a type: every field set or not, lists of up to two entries. */
export function messageOf<M extends MessageType>(type: M, depth = 0): fc.Arbitrary<Message<M>> {
  const fields: Record<string, fc.Arbitrary<unknown>> = {};
  const needed: string[] = [];
  for (const [name, field] of Object.entries(type.fields)) {
    const deep = typeof field.type !== 'string' && field.type.kind === 'message';
    if (deep && depth > 1) continue;
    const one = valueOf(field, depth);
    if (field.rule === 'repeated' || field.rule === 'required') needed.push(name);
    fields[name] = field.rule === 'repeated' ? fc.array(one, { maxLength: 2 }) : one;
  }
  const given = fc.record(fields, { requiredKeys: needed });
  return given.map((values) => create(type, values as Partial<Message<M>>));
}

function valueOf({ type }: Field, depth: number): fc.Arbitrary<unknown> {
  if (typeof type !== 'string') {
    return type.kind === 'enum' ? fc.constantFrom(...Object.keys(type.values)) : messageOf(type, depth + 1);
  }
  switch (type) {
    case 'int32':
      return fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    case 'uint32':
      return fc.nat(2 ** 32 - 1);
    case 'int64':
      return fc.maxSafeInteger();
    case 'float':
      return fc.float().map(decimal);
    case 'double':
      return fc.double();
    case 'bool':
      return fc.boolean();
    case 'string':
      return fc.string({ unit: 'binary' });
    case 'bytes':
      return fc.uint8Array();
  }
}
