import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** A model that keeps its versions in one folder has them in folders whose names are numbers, as Triton's repositories do. */
const VERSION = /^[1-9]\d*$/;

/** What a model is that has no versions. */
export const ONLY = '1';

/** The versions of a model and what each is opened by, the newest first: its highest number. */
export async function versionsOf(source: string): Promise<ReadonlyMap<string, string>> {
  const entries = await readdir(source, { withFileTypes: true }).catch(() => []);
  const names = entries.filter((entry) => entry.isDirectory() && VERSION.test(entry.name)).map(({ name }) => name);
  // A folder that describes a net is a net, whatever else lies in it.
  if (names.length === 0 || entries.some(({ name }) => name === 'cortado.json')) return new Map([[ONLY, source]]);
  return new Map(names.sort((a, b) => Number(b) - Number(a)).map((name) => [name, join(source, name)]));
}
