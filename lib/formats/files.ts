import { extname } from 'node:path';
import { FormatError, UsageError } from '../errors.js';
import { openNpz, writeNpz } from './npz.js';
import { openSafetensors, writeSafetensors } from './safetensors.js';
import type { TensorFile, TensorSet } from './tensors.js';
import { openTorch } from './torch/read.js';
import { writeTorch } from './torch/write.js';

/** A format of tensors by name. */
interface Format {
  readonly name: string;
  readonly extensions: readonly string[];
  readonly open: (path: string) => Promise<TensorFile>;
  readonly write: (path: string, set: TensorSet) => Promise<void>;
}

const FORMATS: readonly Format[] = [
  { name: 'safetensors', extensions: ['.safetensors'], open: openSafetensors, write: writeSafetensors },
  { name: 'npz', extensions: ['.npz'], open: openNpz, write: writeNpz },
  { name: 'pth', extensions: ['.pth', '.pt'], open: openTorch, write: writeTorch },
];

/** The endings of the files that `openTensors` and `writeTensors` know. */
export const TENSOR_FILES: readonly string[] = FORMATS.flatMap(({ extensions }) => extensions);

/** The format of a file by the ending of its name; undefined for others. */
export function formatOf(path: string): Format | undefined {
  const ending = extname(path).toLowerCase();
  return FORMATS.find(({ extensions }) => extensions.includes(ending));
}

/** Opens a file of tensors, whatever its format. @throws {FormatError} for another ending, or what the format refuses */
export async function openTensors(path: string): Promise<TensorFile> {
  const format = formatOf(path);
  if (!format) throw new FormatError(`${path}: expected a name that ends in ${TENSOR_FILES.join(', ')}`);
  return format.open(path);
}

/** Writes tensors in the format that the file's name asks for. @throws {UsageError} for another ending, or what the format cannot hold */
export async function writeTensors(path: string, set: TensorSet): Promise<void> {
  const format = formatOf(path);
  if (!format) throw new UsageError(`${path}: expected a name that ends in ${TENSOR_FILES.join(', ')}`);
  await format.write(path, set);
}
