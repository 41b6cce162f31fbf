import { endianness } from 'node:os';
import { FormatError, UsageError } from './errors.js';
import { writePieces } from './file.js';
import {
  byteLength,
  ELEMENT_BYTES,
  fromTensor,
  swapped,
  toTensor,
  type ElementType,
  type RawTensor,
  type TensorInfo,
} from './formats/elements.js';
import { openRanged } from './formats/ranged.js';
import { columnMajor, gather, gatherSlowly, type Layout } from './formats/strided.js';
import { count } from './shape.js';
import type { Tensor, TensorData } from './tensor.js';

/** NumPy's plain element types: kind and bytes. */
const CODES: Readonly<Record<string, ElementType>> = {
  ...{ f8: 'float64', f4: 'float32', f2: 'float16', c8: 'complex64', c16: 'complex128', b1: 'bool' },
  ...{ i8: 'int64', i4: 'int32', i2: 'int16', i1: 'int8', u8: 'uint64', u4: 'uint32', u2: 'uint16', u1: 'uint8' },
};
const NAMES = new Map(Object.entries(CODES).map(([code, dtype]) => [dtype, code]));

const MAGIC = '\x93NUMPY';
const MAX_HEADER = 64 * 1024;
const MAX_AXES = 32;

/** Bytes at the beginning of a file that surely hold the header. */
export const NPY_HEAD = 12 + MAX_HEADER;

/** What the header of a file says. */
export interface NpyHeader extends TensorInfo {
  /** Elements are big-endian. */
  readonly big: boolean;
  readonly fortran: boolean;
  /** Where the elements begin. */
  readonly start: number;
}

/**
 * Decodes a NumPy array file, of any version and either byte order, as numbers: half becomes float32, bool uint8, small whole
 * numbers int32, larger ones float64 (refused beyond ±2^53). Fortran order is turned into C order.
 * @param name Name to show in errors.
 * @throws {FormatError} for elements that are no numbers, and when the size does not fit the shape
 */
export function decodeNpy(bytes: Uint8Array, name = '.npy'): Tensor<TensorData> {
  const header = readNpyHeader(bytes, bytes.length, name);
  const body = checkedBody(header, Uint8Array.from(bytes.subarray(header.start)), name);
  return toTensor({ ...header, bytes: header.fortran ? gather(body, ...fortran(header)) : body }, name);
}

/** Encodes C-order, little-endian. @throws {UsageError} for an element type that NumPy lacks, or data that do not fit the shape */
export function encodeNpy(tensor: Tensor<TensorData> | RawTensor): Uint8Array {
  const raw = 'bytes' in tensor ? tensor : fromTensor(tensor);
  if (byteLength(raw) !== raw.bytes.length) {
    throw new UsageError(
      `encodeNpy: expected ${count(raw.shape)} elements for shape (${raw.shape.join(', ')}), got ${raw.bytes.length / ELEMENT_BYTES[raw.dtype]}`,
    );
  }
  return Buffer.concat([encodeNpyHeader(raw), raw.bytes]);
}

/** Reads a .npy file as numbers. @throws {FormatError} as decodeNpy does, or when the file cannot be read */
export async function readNpy(path: string): Promise<Tensor<TensorData>> {
  await using file = await openRanged(path);
  const header = readNpyHeader(await file.read(0, Math.min(file.size, NPY_HEAD)), file.size, path);
  const body = await file.read(header.start, file.size - header.start);
  return toTensor(await npyElements(header, body, path), path);
}

/** Writes a .npy file that appears under its name when it is complete. @throws {UsageError} */
export async function writeNpy(path: string, tensor: Tensor<TensorData> | RawTensor): Promise<void> {
  const raw = 'bytes' in tensor ? tensor : fromTensor(tensor);
  await writePieces(path, [encodeNpy(raw)]);
}

/** The elements of a file, little-endian and in C order, made in place where they can. @throws {FormatError} */
export async function npyElements(header: NpyHeader, body: Uint8Array, name: string): Promise<RawTensor> {
  const { dtype, shape } = header;
  const bytes = checkedBody(header, body, name);
  return { dtype, shape, bytes: header.fortran ? await gatherSlowly(bytes, ...fortran(header)) : bytes };
}

function checkedBody(header: NpyHeader, body: Uint8Array, name: string): Uint8Array {
  const expected = byteLength(header);
  if (body.length !== expected) {
    const shape = `(${header.shape.join(', ')})`;
    throw new FormatError(`${name}: expected ${expected} bytes for shape ${shape}, got ${body.length}`);
  }
  return header.big ? swapped(header.dtype, body) : body;
}

function fortran({ dtype, shape }: NpyHeader): [number, Layout] {
  return [ELEMENT_BYTES[dtype], { shape, strides: columnMajor(shape), offset: 0 }];
}

/** The header that goes before the elements. @throws {UsageError} for an element type that NumPy lacks */
export function encodeNpyHeader({ dtype, shape }: TensorInfo, name = '.npy'): Uint8Array {
  const code = NAMES.get(dtype);
  if (!code) throw new UsageError(`${name}: expected an element type of NumPy, got ${dtype}`);
  const extents = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const descr = `${ELEMENT_BYTES[dtype] === 1 ? '|' : '<'}${code}`;
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${extents}, }`;
  // Elements start at a multiple of 64, as NumPy writes them; the header ends with a line break.
  const length = Math.ceil((text.length + 11) / 64) * 64 - 10;
  const prefix = Buffer.alloc(10 + length, ' ');
  prefix.write(MAGIC, 'latin1');
  prefix.writeUInt16LE(1, 6);
  prefix.writeUInt16LE(length, 8);
  prefix.write(text, 10);
  prefix.write('\n', 9 + length);
  return prefix;
}

/**
 * Reads the header of a file from its first bytes.
 * @param size Bytes of the whole file.
 * @throws {FormatError}
 */
export function readNpyHeader(bytes: Uint8Array, size: number, name: string): NpyHeader {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.length < 10 || file.toString('latin1', 0, 6) !== MAGIC) throw new FormatError(`${name}: not a .npy file`);
  const version = file[6]!;
  const wide = version > 1;
  if (version < 1 || version > 3 || (wide && file.length < 12)) {
    throw new FormatError(`${name}: expected .npy version 1, 2 or 3, got ${version}`);
  }
  const begin = wide ? 12 : 10;
  const length = wide ? file.readUInt32LE(8) : file.readUInt16LE(8);
  if (length > MAX_HEADER || begin + length > size) {
    throw new FormatError(`${name}: expected a header within the file, got one of ${length} bytes`);
  }
  return { ...parseHeader(file.toString('latin1', begin, begin + length), name), start: begin + length };
}

/** The header is a Python dictionary of three known keys. */
function parseHeader(text: string, name: string): Omit<NpyHeader, 'start'> {
  const descr = /'descr':\s*'([^']*)'/.exec(text)?.[1];
  const order = /'fortran_order':\s*(True|False)/.exec(text)?.[1];
  const extents = /'shape':\s*\(([\d, L]*)\)/.exec(text)?.[1];
  if (descr === undefined || order === undefined || extents === undefined) {
    throw new FormatError(
      `${name}: expected a header with descr, fortran_order and shape, got ${text.trim().slice(0, 100)}`,
    );
  }
  const code = descr.slice(1);
  if (!/^[<>|=]/.test(descr) || !Object.hasOwn(CODES, code)) {
    throw new FormatError(`${name}: expected plain numbers (${Object.keys(CODES).join(', ')}), got ${descr}`);
  }
  const shape = (extents.match(/\d+/g) ?? []).map(Number);
  const info = { dtype: CODES[code]!, shape };
  if (shape.length > MAX_AXES || !Number.isSafeInteger(byteLength(info))) {
    throw new FormatError(`${name}: expected a shape that fits in memory, got (${extents.slice(0, 100)})`);
  }
  const big = descr.startsWith('>') || (descr.startsWith('=') && endianness() === 'BE');
  return { ...info, big, fortran: order === 'True' };
}
