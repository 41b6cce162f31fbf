import { FormatError } from '../../errors.js';
import { count } from '../../shape.js';
import { ELEMENT_BYTES, ELEMENT_TYPES, type ElementType, type TensorInfo } from '../elements.js';
import { isContiguous, reach, type Layout } from '../strided.js';
import { Callable, Tuple, type Admitted } from './pickle.js';

/** Where the elements of tensors lie: a file of its own in the archive. */
export class Storage {
  constructor(
    readonly key: string,
    /** Undefined where only tensors tell it. */
    readonly dtype: ElementType | undefined,
    readonly bytes: number,
    /** First byte, where it is a part of that storage. */
    readonly start = 0,
  ) {}
}

/** A tensor as the pickle describes it: a view of a storage. */
export class StoredTensor implements TensorInfo, Layout {
  constructor(
    readonly storage: Storage,
    readonly dtype: ElementType,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}

  /** Bytes of the storage that it reaches: from its first element to behind its last one. */
  get range(): { readonly start: number; readonly length: number } {
    const size = ELEMENT_BYTES[this.dtype];
    const end = reach(this);
    const from = end === 0 ? 0 : this.offset;
    return { start: this.storage.start + from * size, length: (end - from) * size };
  }

  get contiguous(): boolean {
    return isContiguous(this);
  }
}

/** The classes of typed storages. */
export const STORAGES: Readonly<Record<string, ElementType>> = {
  ...{ DoubleStorage: 'float64', FloatStorage: 'float32', HalfStorage: 'float16', BFloat16Storage: 'bfloat16' },
  ...{ LongStorage: 'int64', IntStorage: 'int32', ShortStorage: 'int16', CharStorage: 'int8', ByteStorage: 'uint8' },
  ...{ BoolStorage: 'bool', ComplexFloatStorage: 'complex64', ComplexDoubleStorage: 'complex128' },
};

/** A class of storages or an element type, by its name in torch. */
class Kind {
  constructor(readonly dtype: ElementType | undefined) {}
}

const REBUILD: Readonly<Record<string, (args: readonly unknown[]) => unknown>> = {
  _rebuild_tensor: ([storage, offset, size, stride]) => rebuild(storage, offset, size, stride),
  _rebuild_tensor_v2: ([storage, offset, size, stride]) => rebuild(storage, offset, size, stride),
  _rebuild_tensor_v3: ([storage, offset, size, stride, , , kind]) =>
    rebuild(storage, offset, size, stride, kind instanceof Kind ? kind.dtype : undefined),
  _rebuild_parameter: ([data]) => data,
  _rebuild_parameter_with_state: ([data]) => data,
};

/** The names that state dicts need. A storage is asked for by its persistent id. */
export const TENSORS: Admitted = {
  global(module, name) {
    if (module === 'collections' && name === 'OrderedDict') return new Callable(name, orderedDict);
    if (module === 'torch._utils' && Object.hasOwn(REBUILD, name)) return new Callable(name, REBUILD[name]!);
    if (module === 'torch' && name === 'Size') return new Callable(name, ([sizes]) => sizes);
    if (module === 'torch' && name === 'device') return new Callable(name, ([device]) => device);
    if (module === '_codecs' && name === 'encode') return new Callable(name, ([text]) => text);
    if (module === 'torch' && Object.hasOwn(STORAGES, name)) return new Kind(STORAGES[name]);
    if (module === 'torch.storage' && name === 'UntypedStorage') return new Kind(undefined);
    const dtype = ELEMENT_TYPES.find((each) => each === name);
    return module === 'torch' && dtype ? new Kind(dtype) : undefined;
  },

  persistent(id) {
    const [tag, kind, key, , elements, part] = id instanceof Tuple ? id.items : [];
    if (tag !== 'storage' || !(kind instanceof Kind) || typeof key !== 'string' || !isCount(elements))
      throw new Error('expected the persistent id of a storage');
    const size = kind.dtype ? ELEMENT_BYTES[kind.dtype] : 1;
    if (part === undefined || part === null) return new Storage(key, kind.dtype, elements * size);
    const [, first, length] = part instanceof Tuple ? part.items : [];
    if (!isCount(first) || !isCount(length)) throw new Error('expected a part of a storage');
    return new Storage(key, kind.dtype, length * size, first * size);
  },
};

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** Python 2 wrote the pairs as an argument; later ones are set one by one. */
function orderedDict([pairs]: readonly unknown[]): Map<unknown, unknown> {
  const made = new Map<unknown, unknown>();
  for (const pair of Array.isArray(pairs) ? (pairs as unknown[]) : []) {
    const [key, value] = pair instanceof Tuple ? pair.items : Array.isArray(pair) ? (pair as unknown[]) : [];
    if (typeof key !== 'string') throw new Error('expected pairs of a name and a value');
    made.set(key, value);
  }
  return made;
}

const MOST_AXES = 64;

function rebuild(storage: unknown, offset: unknown, size: unknown, stride: unknown, type?: ElementType): StoredTensor {
  const [shape, strides] = [size, stride].map((each) => (each instanceof Tuple ? each.items : []));
  const dtype = type ?? (storage instanceof Storage ? storage.dtype : undefined);
  if (!(storage instanceof Storage) || !dtype || !isCount(offset)) throw new Error('expected a storage and an offset');
  if (!shape!.every(isCount) || !strides!.every(isCount) || shape.length !== strides.length)
    throw new Error('expected a size and strides of whole numbers');
  const tensor = new StoredTensor(storage, dtype, offset, shape, strides);
  const end = reach(tensor) * ELEMENT_BYTES[dtype];
  if (shape.length > MOST_AXES || !Number.isSafeInteger(count(tensor.shape)) || !(end <= storage.bytes))
    throw new Error(
      `a tensor of size (${shape.slice(0, MOST_AXES).join(', ')}) and strides (${strides.slice(0, MOST_AXES).join(', ')}) at ${offset} does not lie within the ${storage.bytes} bytes of its storage`,
    );
  return tensor;
}

/** What a file holds beside tensors is kept where it is a text, a number or a truth. */
export interface Contents {
  readonly tensors: Map<string, StoredTensor>;
  readonly notes: Record<string, string>;
}

const DEEPEST = 32;
const MOST_VALUES = 1_000_000;

/** Names every tensor by its way through dictionaries and lists: `state_dict.conv1.weight`. @throws {FormatError} */
export function contentsOf(root: unknown, where: string): Contents {
  const contents: Contents = { tensors: new Map(), notes: {} };
  let values = 0;
  const visit = (value: unknown, path: readonly string[]): void => {
    if (path.length > DEEPEST || ++values > MOST_VALUES)
      throw new FormatError(`${where}: expected at most ${DEEPEST} levels and ${MOST_VALUES} values`);
    const name = path.join('.');
    if (value instanceof StoredTensor) {
      if (contents.tensors.has(name)) throw new FormatError(`${where}: two tensors are called "${name}"`);
      contents.tensors.set(name, value);
    } else if (value instanceof Map) for (const [key, each] of value) visit(each, [...path, String(key)]);
    else if (Array.isArray(value)) value.forEach((each, i) => visit(each, [...path, String(i)]));
    else if (value instanceof Tuple) value.items.forEach((each, i) => visit(each, [...path, String(i)]));
    else if (['string', 'number', 'boolean'].includes(typeof value) && name !== '__proto__')
      contents.notes[name] = String(value);
  };
  visit(root, []);
  return contents;
}
