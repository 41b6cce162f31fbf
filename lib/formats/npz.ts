import { FormatError } from '../errors.js';
import { writePieces } from '../file.js';
import { encodeNpyHeader, npyElements, NPY_HEAD, readNpyHeader, type NpyHeader } from '../npy.js';
import { found, inMemory, type TensorFile, type Tensors, type TensorSet } from './tensors.js';
import { openZip, zipPieces, type ZipEntry, type ZipMember } from './zip.js';

const SUFFIX = '.npy';

/**
 * Opens NumPy's archive of arrays, stored or compressed (`np.savez`, `np.savez_compressed`). Each array is read when it is
 * asked for.
 * @throws {FormatError} when it is no archive, or holds what is no plain array
 */
export async function openNpz(source: string | Uint8Array): Promise<TensorFile> {
  const zip = await openZip(source);
  try {
    const tensors = new Map<string, NpyHeader & { readonly entry: ZipEntry }>();
    for (const [member, entry] of zip.entries) {
      const where = `${zip.where}: ${member}`;
      if (!member.endsWith(SUFFIX)) throw new FormatError(`${where}: expected members called NAME${SUFFIX}`);
      const header = readNpyHeader(await entry.slice(0, Math.min(NPY_HEAD, entry.size)), entry.size, where);
      tensors.set(member.slice(0, -SUFFIX.length), { ...header, entry });
    }
    return {
      where: zip.where,
      tensors,
      metadata: {},
      async read(name) {
        const { entry, ...header } = found(tensors, name, zip.where);
        return npyElements(header, (await entry.read()).subarray(header.start), `${zip.where}: ${name}`);
      },
      close: () => zip.close(),
      [Symbol.asyncDispose]: () => zip.close(),
    };
  } catch (error) {
    await zip.close();
    throw error;
  }
}

/** Writes arrays as NumPy reads them. @throws {UsageError} for element types that NumPy lacks: bfloat16 and 8-bit floats */
export async function writeNpz(
  path: string,
  content: TensorSet | { readonly tensors: Tensors },
  options: { /** Deflates the arrays. Default false. */ readonly compress?: boolean } = {},
): Promise<void> {
  const set = 'read' in content ? content : inMemory(content.tensors);
  const members = [...set.tensors].map(([name, info]): ZipMember => {
    const header = encodeNpyHeader(info, name);
    return {
      name: name + SUFFIX,
      async *bytes() {
        yield header;
        yield (await set.read(name)).bytes;
      },
    };
  });
  await writePieces(path, zipPieces(members, { compress: options.compress ?? false }));
}
