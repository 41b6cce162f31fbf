import { FormatError } from '../../errors.js';
import { byteLength, ELEMENT_BYTES, swapped } from '../elements.js';
import { openRanged, type Ranged } from '../ranged.js';
import { gatherSlowly } from '../strided.js';
import { found, type TensorFile } from '../tensors.js';
import { openZip, type ZipEntry } from '../zip.js';
import { CutShort, readPickle } from './pickle.js';
import { contentsOf, TENSORS, type StoredTensor } from './tensors.js';

/** Reads a range of bytes of a storage. */
type ReadStorage = (tensor: StoredTensor, start: number, length: number) => Promise<Uint8Array>;

/** Pickles describe; the elements lie beside them. */
const LONGEST_PICKLE = 64 * 1024 * 1024;
/** What an expanded tensor (of stride 0) may grow to. */
const MOST_EXPANDED = 2 ** 28;

/**
 * Opens a `.pth` or `.pt` file that torch.save wrote: of a state dict, or dictionaries and lists that hold tensors, in the zip
 * format or the one before it. Its pickle is read as data and nothing of it is executed: see pickle.ts. Tensors are named by
 * their way through the dictionaries; texts and numbers beside them are `metadata`. Views and strides come out in C order.
 * @throws {FormatError} naming the byte, for whatever else the pickle asks for, and for files that are cut short
 */
export async function openTorch(source: string | Uint8Array): Promise<TensorFile> {
  const file = await openRanged(source);
  const start = Buffer.from(await file.read(0, Math.min(4, file.size)));
  if (!start.equals(Buffer.from('PK\x03\x04'))) return closing(file, openLegacy);
  await file.close();
  return closing(await openZip(source), openArchive);
}

/** Closes what is open when it turns out to be no file of tensors. */
async function closing<T extends { close(): Promise<void> }>(open: T, read: (open: T) => Promise<TensorFile>) {
  try {
    return await read(open);
  } catch (error) {
    await open.close();
    throw error;
  }
}

async function openArchive(zip: Awaited<ReturnType<typeof openZip>>): Promise<TensorFile> {
  const { where, entries } = zip;
  const pickle = [...entries.keys()].find((name) => name.endsWith('/data.pkl'));
  if (pickle === undefined) throw new FormatError(`${where}: expected a file of torch.save, got another zip archive`);
  const root = pickle.slice(0, -'data.pkl'.length);
  if (entries.has(`${root}constants.pkl`))
    throw new FormatError(`${where}: expected tensors, got a TorchScript program; save its state_dict()`);
  const order = entries.get(`${root}byteorder`);
  const big = order !== undefined && Buffer.from(await order.slice(0, Math.min(3, order.size))).toString() === 'big';
  const entry = entries.get(pickle)!;
  if (entry.size > LONGEST_PICKLE)
    throw new FormatError(`${where}: expected a pickle of at most ${LONGEST_PICKLE} bytes`);
  const { value } = readPickle(await entry.slice(0, entry.size), `${where}: data.pkl`, TENSORS);
  const storage = ({ key, bytes }: StoredTensor['storage']): ZipEntry => {
    const member = entries.get(`${root}data/${key}`);
    if (member && member.size >= bytes) return member;
    throw new FormatError(`${where}: data/${key}: expected a storage of ${bytes} bytes, got ${member?.size ?? 'none'}`);
  };
  return tensorFile(zip, value, async (tensor, start, length) => {
    const bytes = await storage(tensor.storage).slice(start, length);
    return big ? swapped(tensor.dtype, bytes) : bytes;
  });
}

/** What a file begins with before there were archives: torch/serialization.py, MAGIC_NUMBER. */
const MAGIC = 0x1950a86a20f9469cfc6cn;
const VERSION = 1001;

async function openLegacy(file: Ranged): Promise<TensorFile> {
  const { where } = file;
  if (file.size === 0 || (await file.read(0, 1))[0] !== 0x80)
    throw new FormatError(`${where}: expected a file of torch.save, got something else`);
  let at = 0;
  const next = async (): Promise<unknown> => {
    const { value, end } = await pickleAt(file, at);
    at = end;
    return value;
  };
  if ((await next()) !== MAGIC || (await next()) !== VERSION)
    throw new FormatError(`${where}: not a file of torch.save`);
  await next(); // what machine wrote it: the elements are little-endian all the same
  const root = await next();
  const keys = await next();
  if (!Array.isArray(keys)) throw new FormatError(`${where}: expected the keys of the storages at byte ${at}`);
  const sizes = new Map<string, number>();
  for (const { storage } of contentsOf(root, where).tensors.values())
    sizes.set(storage.key, storage.dtype ? ELEMENT_BYTES[storage.dtype] : 1);
  const places = new Map<string, { start: number; length: number }>();
  for (const key of keys as unknown[]) {
    const size = typeof key === 'string' ? sizes.get(key) : undefined;
    if (typeof key !== 'string' || size === undefined)
      throw new FormatError(`${where}: expected the key of a storage that a tensor needs`);
    const length = Number(Buffer.from(await file.read(at, 8)).readBigInt64LE()) * size;
    if (!(length >= 0 && at + 8 + length <= file.size))
      throw new FormatError(`${where}: cut short: a storage of ${length} bytes at byte ${at + 8}`);
    places.set(key, { start: at + 8, length });
    at += 8 + length;
  }
  return tensorFile(file, root, async ({ storage }, start, length) => {
    const place = places.get(storage.key);
    if (place && start + length <= place.length) return file.read(place.start + start, length);
    throw new FormatError(
      `${where}: storage ${storage.key}: expected ${start + length} bytes, got ${place?.length ?? 'none'}`,
    );
  });
}

/** Reads a pickle whose length nobody tells: from as many bytes as it takes. */
async function pickleAt(file: Ranged, at: number): Promise<{ readonly value: unknown; readonly end: number }> {
  for (let length = 1 << 12; ; length *= 4) {
    const size = Math.min(length, file.size - at, LONGEST_PICKLE);
    try {
      const { value, end } = readPickle(await file.read(at, size), `${file.where}: at byte ${at}`, TENSORS);
      return { value, end: at + end };
    } catch (error) {
      if (!(error instanceof CutShort) || size < length) throw error;
    }
  }
}

function tensorFile(
  open: { readonly where: string; close(): Promise<void> },
  root: unknown,
  readStorage: ReadStorage,
): TensorFile {
  const { where } = open;
  const { tensors, notes } = contentsOf(root, where);
  return {
    where,
    tensors,
    metadata: notes,
    async read(name) {
      const tensor = found(tensors, name, where);
      const { dtype, shape, strides, range, contiguous } = tensor;
      if (!contiguous && byteLength(tensor) > Math.max(MOST_EXPANDED, range.length))
        throw new FormatError(`${where}: ${name}: ${range.length} bytes expand to ${byteLength(tensor)}`);
      const bytes = await readStorage(tensor, range.start, range.length);
      if (contiguous) return { dtype, shape, bytes };
      return { dtype, shape, bytes: await gatherSlowly(bytes, ELEMENT_BYTES[dtype], { shape, strides, offset: 0 }) };
    },
    close: () => open.close(),
    [Symbol.asyncDispose]: () => open.close(),
  };
}
