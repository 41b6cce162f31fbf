import type { Field, Message, MessageType } from '../../protobuf/schema.js';
import { formatNumber } from './format-number.js';
import { quote } from './quote.js';

/** A message as protocol buffer text, laid out as Caffe's tools lay it out: fields by number, two blanks a level. */
export function formatText<M extends MessageType>(type: M, message: Message<M>): string {
  const lines: string[] = [];
  writeFields(type, message, '', lines);
  return lines.map((line) => `${line}\n`).join('');
}

function writeFields(type: MessageType, message: Record<string, unknown>, indent: string, lines: string[]): void {
  const fields = Object.entries(type.fields).sort(([, a], [, b]) => a.id - b.id);
  for (const [name, field] of fields) {
    const value = message[name];
    if (value === undefined) continue;
    const values: unknown[] = field.rule === 'repeated' ? (value as unknown[]) : [value];
    for (const each of values) writeField(name, field, each, indent, lines);
  }
}

function writeField(name: string, field: Field, value: unknown, indent: string, lines: string[]): void {
  if (typeof field.type === 'string' || field.type.kind === 'enum') {
    lines.push(`${indent}${name}: ${scalar(field, value)}`);
    return;
  }
  lines.push(`${indent}${name} {`);
  writeFields(field.type, value as Record<string, unknown>, `${indent}  `, lines);
  lines.push(`${indent}}`);
}

function scalar(field: Field, value: unknown): string {
  if (field.type === 'string') return quote(Buffer.from(value as string));
  if (field.type === 'bytes') return quote(value as Uint8Array);
  if (field.type === 'float' || field.type === 'double') return formatNumber(value as number, field.type);
  return String(value);
}
