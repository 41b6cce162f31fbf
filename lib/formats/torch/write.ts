import { UsageError } from '../../errors.js';
import { writePieces } from '../../file.js';
import { byteLength, ELEMENT_BYTES, type ElementType, type TensorInfo } from '../elements.js';
import { rowMajor } from '../strided.js';
import { inMemory, type Tensors, type TensorSet } from '../tensors.js';
import { zipPieces, type ZipMember } from '../zip.js';
import { STORAGES } from './tensors.js';

const CLASSES = new Map<ElementType, string>(Object.entries(STORAGES).map(([name, dtype]) => [dtype, name]));

/**
 * Writes a state dict that `torch.load(path, weights_only=True)` reads: an OrderedDict of tensors by name, in the zip format.
 * @throws {UsageError}
 */
export async function writeTorch(path: string, content: TensorSet | { readonly tensors: Tensors }): Promise<void> {
  const set = 'read' in content ? content : inMemory(content.tensors);
  const names = [...set.tensors.keys()];
  const member = (name: string, bytes: ZipMember['bytes']): ZipMember => ({ name: `archive/${name}`, bytes });
  const text = (value: string | Uint8Array): ZipMember['bytes'] =>
    async function* () {
      yield await Promise.resolve(Buffer.from(value));
    };
  const members = [
    member('data.pkl', text(encodeState(set.tensors))),
    member('byteorder', text('little')),
    ...names.map((name, i) =>
      member(`data/${i}`, async function* () {
        yield (await set.read(name)).bytes;
      }),
    ),
    member('version', text('3\n')),
  ];
  await writePieces(path, zipPieces(members, { compress: false }));
}

/** The pickle of a state dict, in protocol 2; tensor `i` has storage `i`. */
function encodeState(tensors: ReadonlyMap<string, TensorInfo>): Uint8Array {
  const dict = Buffer.concat([global('collections', 'OrderedDict'), OP.emptyTuple, OP.reduce]);
  const items = [...tensors].flatMap(([name, info], i) => [text(name), tensor(info, String(i), dict)]);
  return Buffer.concat([Buffer.from([0x80, 2]), dict, OP.mark, ...items, OP.setItems, OP.stop]);
}

const op = (code: string): Buffer => Buffer.from(code, 'latin1');
const OP = {
  ...{ mark: op('('), tuple: op('t'), emptyTuple: op(')'), reduce: op('R'), setItems: op('u'), stop: op('.') },
  ...{ persistentId: op('Q'), false: op('\x89') },
};

/** A type that has no class of storages is told beside an untyped one, as torch itself does it. */
function tensor(info: TensorInfo, key: string, hooks: Buffer): Buffer {
  const { dtype, shape } = info;
  const typed = CLASSES.get(dtype);
  const elements = byteLength(info) / (typed ? ELEMENT_BYTES[dtype] : 1);
  const kind = typed ? global('torch', typed) : global('torch.storage', 'UntypedStorage');
  const storage = [OP.mark, text('storage'), kind, text(key), text('cpu'), whole(elements), OP.tuple, OP.persistentId];
  return Buffer.concat([
    global('torch._utils', typed ? '_rebuild_tensor_v2' : '_rebuild_tensor_v3'),
    OP.mark,
    ...storage,
    whole(0),
    ...sequence(shape),
    ...sequence(rowMajor(shape)),
    OP.false,
    hooks,
    ...(typed ? [] : [global('torch', dtype)]),
    OP.tuple,
    OP.reduce,
  ]);
}

function global(module: string, name: string): Buffer {
  return op(`c${module}\n${name}\n`);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  if (bytes.toString() !== value) throw new UsageError(`${JSON.stringify(value)}: expected a name of whole characters`);
  const head = Buffer.alloc(5, 'X');
  head.writeUInt32LE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** LONG1 in eight bytes, or BININT. */
function whole(value: number): Buffer {
  const small = value < 2 ** 31;
  const bytes = Buffer.alloc(small ? 5 : 10);
  bytes.set(op(small ? 'J' : '\x8a\x08'));
  if (small) bytes.writeInt32LE(value, 1);
  else bytes.writeBigInt64LE(BigInt(value), 2);
  return bytes;
}

function sequence(values: readonly number[]): Buffer[] {
  return [OP.mark, ...values.map(whole), OP.tuple];
}
