import protobuf from 'protobufjs/light.js';
import { FormatError } from '../../errors.js';

/** Blocks of a log, and the header of each fragment: checksum, length, type (LevelDB, doc/log_format.md). */
const BLOCK = 32768;
const HEADER = 7;
const [FULL, FIRST, MIDDLE, LAST] = [1, 2, 3, 4];

/** Fields of a version edit (LevelDB, db/version_edit.cc). */
const EDIT = { comparator: 1, log: 2, next: 3, sequence: 4, pointer: 5, deleted: 6, added: 7, previousLog: 9 };

/** The tables that make up a database: the size of each by its number. @throws {FormatError} */
export function liveTables(manifest: Uint8Array, name: string): Map<number, number> {
  const tables = new Map<number, number>();
  try {
    for (const record of records(manifest)) apply(protobuf.Reader.create(record), tables);
  } catch (cause) {
    throw new FormatError(`${name}: damaged or cut short: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
  return tables;
}

function* records(bytes: Uint8Array): Generator<Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let parts: Uint8Array[] = [];
  for (let at = 0; at + HEADER <= bytes.length;) {
    const left = BLOCK - (at % BLOCK);
    if (left < HEADER) {
      at += left;
      continue;
    }
    const [length, type] = [view.getUint16(at + 4, true), view.getUint8(at + 6)];
    const part = bytes.subarray(at + HEADER, at + HEADER + length);
    if (part.length < length || ![FULL, FIRST, MIDDLE, LAST].includes(type)) throw new Error(`no record at byte ${at}`);
    parts = type === FULL || type === FIRST ? [part] : [...parts, part];
    if (type === FULL || type === LAST) yield Buffer.concat(parts);
    at += HEADER + length;
  }
}

function apply(edit: protobuf.Reader, tables: Map<number, number>): void {
  const number = (): number => Number(edit.uint64());
  while (edit.pos < edit.len) {
    const field = edit.uint32();
    if (field === EDIT.added) {
      number();
      tables.set(number(), number());
      edit.bytes();
      edit.bytes();
    } else if (field === EDIT.deleted) {
      number();
      tables.delete(number());
    } else if (field === EDIT.pointer) {
      number();
      edit.bytes();
    } else if (field === EDIT.comparator) edit.bytes();
    else if ([EDIT.log, EDIT.next, EDIT.sequence, EDIT.previousLog].includes(field)) number();
    else throw new Error(`unknown field ${field}`);
  }
}
