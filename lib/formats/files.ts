import { FormatError, UsageError } from '../errors.js';
import { writePieces } from '../file.js';
import type { RawTensor } from './elements.js';
import { openNpz, writeNpz } from './npz.js';
import { openSafetensors, writeSafetensors } from './safetensors.js';
import type { TensorFile, TensorSet } from './tensors.js';
import { openTorch } from './torch/read.js';
import { writeTorch } from './torch/write.js';

/** A format of tensors by name. */
interface Format {
  readonly name: string;
  readonly endings: readonly string[];
  readonly open: (path: string) => Promise<TensorFile>;
  readonly write: (path: string, set: TensorSet) => Promise<void>;
}

/** Of those whose readers bring more than a few files along, they are loaded when called for. */
const FORMATS: readonly Format[] = [
  { name: 'safetensors', endings: ['.safetensors'], open: openSafetensors, write: writeSafetensors },
  { name: 'npz', endings: ['.npz'], open: openNpz, write: writeNpz },
  { name: 'pth', endings: ['.pth', '.pt'], open: openTorch, write: writeTorch },
  {
    name: 'caffemodel',
    endings: ['.caffemodel', '.caffemodel.gz', '.h5', '.hdf5'],
    open: async (path) => (await import('./caffe.js')).openCaffemodel(path),
    write: async (path, set) => (await import('./caffe.js')).writeTensorsAsCaffemodel(path, set),
  },
  {
    name: 'onnx',
    endings: ['.onnx'],
    open: async (path) => (await import('../onnx/file.js')).openOnnx(path),
    write: writeInitializers,
  },
];

/** The endings of the files that `openTensors` and `writeTensors` know. */
export const TENSOR_FILES: readonly string[] = FORMATS.flatMap(({ endings }) => endings);

/** The format of a file by the ending of its name; undefined for others. */
export function formatOf(path: string): Format | undefined {
  const name = path.toLowerCase();
  return FORMATS.find(({ endings }) => endings.some((ending) => name.endsWith(ending)));
}

/** An ONNX file of nothing but tensors. */
async function writeInitializers(path: string, set: TensorSet): Promise<void> {
  const { encodeModel } = await import('../onnx/export/model.js');
  const initializers = new Map<string, RawTensor>();
  for (const name of set.tensors.keys()) initializers.set(name, await set.read(name));
  await writePieces(path, encodeModel({ name: 'tensors', nodes: [], inputs: [], outputs: [], initializers }));
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
