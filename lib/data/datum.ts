import protobuf from 'protobufjs/light.js';
import { littleEndian } from '../bytes.js';
import { create, Datum, type DatumMessage } from '../caffe/schema.js';
import { FormatError } from '../errors.js';
import { rawFields, type RawField } from '../protobuf/records.js';
import { encodeMessage } from '../protobuf/wire.js';
import { count } from '../shape.js';
import type { Item } from './dataset.js';

const { channels, height, width, data, label, float_data, encoded } = Datum.fields;

/**
 * Decodes a record of Caffe's databases. Pixels and pictures are views of `bytes`.
 * @param name Names the record in errors and in the item.
 * @throws {FormatError} when it is no Datum, or its numbers do not fit its extents
 */
export function decodeDatum(bytes: Uint8Array, name: string): Item {
  const found = new Map<number, RawField>();
  const floats: Uint8Array[] = [];
  for (const field of rawFields({ bytes, origin: 0, where: name })) {
    if (field.id !== float_data.id) found.set(field.id, field);
    else if (field.value.length % 4 === 0) floats.push(field.value);
    else throw new FormatError(`${name}: ${field.value.length} bytes at byte ${field.origin} are no 32-bit numbers`);
  }
  const number = ({ id }: { readonly id: number }): number => wholeNumber(found.get(id), name);
  const stored = found.get(data.id)?.value ?? new Uint8Array();
  if (number(encoded) !== 0) {
    if (stored.length === 0) throw new FormatError(`${name}: expected an encoded picture, got none`);
    return { name, picture: { encoded: stored }, label: number(label) };
  }
  const shape = [number(channels), number(height), number(width)];
  const pixels = stored.length > 0 ? stored : float32(floats);
  if (shape.some((extent) => extent < 1)) {
    throw new FormatError(`${name}: expected channels, height and width of at least 1, got (${shape.join(', ')})`);
  }
  if (count(shape) !== pixels.length) {
    throw new FormatError(`${name}: expected ${count(shape)} pixels for (${shape.join(', ')}), got ${pixels.length}`);
  }
  return { name, picture: { pixels, shape }, label: number(label) };
}

function wholeNumber(field: RawField | undefined, name: string): number {
  if (!field) return 0;
  if (field.wire !== 0) throw new FormatError(`${name}: expected a whole number at byte ${field.origin}`);
  return protobuf.Reader.create(field.value).int32();
}

function float32(parts: readonly Uint8Array[]): Float32Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  littleEndian(bytes, 4);
  return new Float32Array(bytes.buffer);
}

/** Encodes a record as Caffe's tools do. */
export function encodeDatum(fields: Partial<DatumMessage>): Uint8Array {
  return encodeMessage(Datum, create(Datum, fields));
}
