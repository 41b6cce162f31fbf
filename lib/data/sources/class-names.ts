import { join } from 'node:path';
import { readTextFile } from '../../file.js';
import { exists } from '../place.js';

/** Beside the records of a database: names of the classes in the order of their labels, one a line. */
export const CLASS_NAMES = 'classes.txt';

/** Names of the classes, where a folder says them. @throws {FormatError} when the file cannot be read */
export async function readClassNames(folder: string, file = CLASS_NAMES): Promise<readonly string[] | undefined> {
  const path = join(folder, file);
  if (!(await exists(path))) return undefined;
  const lines = (await readTextFile(path)).split(/\r?\n/);
  while (lines.length > 0 && lines.at(-1)!.trim() === '') lines.pop();
  return lines.map((line) => line.trim());
}
