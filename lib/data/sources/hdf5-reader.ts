import { FormatError } from '../../errors.js';
import { numbersOf } from '../../hdf5/convert.js';
import { Dataset as Numbers, explained, openFile, type File } from '../../hdf5/library.js';
import { count } from '../../shape.js';
import type { Item, Reader } from '../dataset.js';
import type { Hdf5Ref, Hdf5Spec } from './hdf5.js';

/** Opens what hdf5() has described. Starts HDF5: only for worker threads. */
export function openReader({ files, data, label, shape, labelShape }: Hdf5Spec): Reader<Hdf5Ref> {
  const opened = new Map<number, File>();
  const open = async (index: number): Promise<File> => {
    const file = opened.get(index) ?? (await openFile(files[index]!));
    opened.set(index, file);
    return file;
  };
  return {
    async read({ file, row }): Promise<Item> {
      const name = `${files[file]!}: row ${row}`;
      const from = await open(file);
      const pixels = rowOf(from, data, row, name, count(shape));
      const labels = rowOf(from, label, row, name, count(labelShape));
      return { name, picture: { pixels, shape }, label: labelShape.length > 0 ? labels : labels[0]! };
    },
    close: () => opened.forEach((file) => file.close()),
  };
}

function rowOf(file: File, array: string, row: number, name: string, length: number): Float32Array {
  const dataset = file.get(array);
  if (!(dataset instanceof Numbers)) throw new FormatError(`${name}: expected an array "${array}", got none`);
  let values: unknown;
  try {
    values = dataset.slice([[row, row + 1]]);
  } catch (cause) {
    throw explained(name, cause);
  }
  const numbers = numbersOf(values);
  if (numbers?.length !== length)
    throw new FormatError(`${name}: expected ${length} numbers in "${array}", got ${numbers?.length ?? 'none'}`);
  return numbers instanceof Float32Array ? numbers : Float32Array.from(numbers);
}
