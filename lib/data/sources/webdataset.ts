import { closeSync, openSync, readSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { FormatError } from '../../errors.js';
import { isPictureName } from '../../images/index.js';
import type { Dataset, Reader, ReaderSpec } from '../dataset.js';
import { byCode, Pace } from '../pace.js';
import { lookAt, unreadable } from '../place.js';
import { TarFile, type Entry } from '../tar/entries.js';
import type { TransformOptions } from '../transform.js';
import { readClassNames } from './class-names.js';

export interface WebDatasetOptions extends TransformOptions {
  /** Of labels in JSON: the field that is the label. Default: the first of `label`, `cls`, `class` that there is. */
  readonly labelField?: string;
  /** Ends the search for pictures. */
  readonly signal?: AbortSignal;
}

interface WebSpec extends ReaderSpec {
  readonly shards: readonly string[];
}

interface TarRef {
  readonly shard: number;
  readonly key: string;
  readonly at: number;
  readonly size: number;
  readonly label: number;
}

/** Longest file with a label. */
const MOST_LABEL = 1 << 20;
const LABEL_FIELDS = ['label', 'cls', 'class'];

/**
 * Pictures in tar files, as WebDataset stores them: files whose names are the same up to their first dot make one sample,
 * such as `0001.jpg` and its label in `0001.cls` (a number) or `0001.json`. The path is one tar, or a folder of them,
 * in the order of their names. Only headers and labels are read; a sample without a picture is passed over.
 * @throws {FormatError} when a tar is missing, cut short or none, or a picture has no label
 */
export async function webdataset(path: string, options: WebDatasetOptions = {}): Promise<Dataset<TarRef>> {
  const { labelField, signal, ...transform } = options;
  const folder = (await lookAt(path)).isDirectory();
  const shards = folder ? await tarsIn(path) : [path];
  const pace = new Pace(signal);
  const refs: TarRef[] = [];
  for (const [shard, name] of shards.entries()) {
    for await (const sample of samples(name, labelField ? [labelField] : LABEL_FIELDS, pace))
      refs.push({ shard, ...sample });
  }
  if (refs.length === 0) throw new FormatError(`${path}: expected pictures with labels, got none`);
  return {
    name: path,
    length: refs.length,
    classes: folder ? await readClassNames(path) : undefined,
    labelShape: [],
    reader: { kind: 'webdataset', shards } satisfies WebSpec as ReaderSpec,
    transform,
    ref: (index) => refs[index]!,
    label: (index) => refs[index]!.label,
  };
}

async function tarsIn(path: string): Promise<string[]> {
  const names = (await readdir(path)).filter((name) => extname(name) === '.tar').sort(byCode);
  if (names.length === 0) throw new FormatError(`${path}: expected tar files, got none`);
  return names.map((name) => join(path, name));
}

/** The pictures of a tar. */
async function* samples(name: string, fields: readonly string[], pace: Pace): AsyncGenerator<Omit<TarRef, 'shard'>> {
  if (/\.(t?gz|tgz)$/.test(name))
    throw new FormatError(`${name}: expected a plain tar, got a gzipped one; gunzip it first`);
  await using tar = await TarFile.open(name);
  let sample: Sample | undefined;
  for await (const entry of tar.entries(pace)) {
    const [key, extension] = split(entry.path);
    if (key !== sample?.key) {
      if (sample?.picture) yield sample.done();
      sample = new Sample(tar, key, fields);
    }
    await sample.add(entry, extension);
  }
  if (sample?.picture) yield sample.done();
}

/** The path up to the first dot of the file's own name, and what follows it. */
function split(path: string): [key: string, extension: string] {
  const [, key = path, extension = ''] = /^((?:.*\/)?[^/]*?)\.([^/]*)$/.exec(path) ?? [];
  return [key, extension.toLowerCase()];
}

/** Files with the same key. */
class Sample {
  picture: Entry | undefined;
  #label: number | undefined;

  constructor(
    readonly tar: TarFile,
    readonly key: string,
    readonly fields: readonly string[],
  ) {}

  async add(entry: Entry, extension: string): Promise<void> {
    if (extension === 'cls' || extension === 'json') {
      const where = `${this.tar.name}: ${entry.path}`;
      if (entry.size > MOST_LABEL) throw new FormatError(`${where}: expected a label, got ${entry.size} bytes`);
      const text = (await this.tar.read(entry.at, entry.size)).toString();
      this.#label = extension === 'cls' ? wholeNumber(text.trim(), where) : this.#fromJson(text, where);
    } else if (isPictureName(entry.path)) this.picture ??= entry;
  }

  #fromJson(text: string, where: string): number | undefined {
    let content: unknown;
    try {
      content = JSON.parse(text);
    } catch (cause) {
      throw new FormatError(`${where}: not JSON`, { cause });
    }
    if (typeof content === 'number') return wholeNumber(content, where);
    for (const field of this.fields) {
      const value = (content as Record<string, unknown> | null)?.[field];
      if (value !== undefined) return wholeNumber(value, where);
    }
    // It may hold something else, and the label be in another file.
    return this.#label;
  }

  done(): Omit<TarRef, 'shard'> {
    const { at, size, path } = this.picture!;
    if (this.#label !== undefined) return { key: path, at, size, label: this.#label };
    throw new FormatError(
      `${this.tar.name}: ${path}: expected its label in ${this.key}.cls, or in ${this.key}.json as ${this.fields.join(' or ')}`,
    );
  }
}

function wholeNumber(value: unknown, where: string): number {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  if (typeof number === 'number' && Number.isSafeInteger(number)) return number;
  throw new FormatError(`${where}: expected a whole number as the label, got ${JSON.stringify(value)}`);
}

/** Opens what webdataset() has described. */
export function openReader({ shards }: WebSpec): Reader<TarRef> {
  const descriptors = new Map<number, number>();
  const descriptorOf = (shard: number): number => {
    const found = descriptors.get(shard) ?? openShard(shards[shard]!);
    descriptors.set(shard, found);
    return found;
  };
  return {
    read({ shard, key, at, size, label }) {
      const name = `${shards[shard]!}: ${key}`;
      const encoded = new Uint8Array(size);
      if (readSync(descriptorOf(shard), encoded, 0, size, at) < size)
        throw new FormatError(`${name}: cut short or changed: expected ${size} bytes at byte ${at}`);
      return { name, picture: { encoded }, label };
    },
    close: () => descriptors.forEach((descriptor) => closeSync(descriptor)),
  };
}

function openShard(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    throw unreadable(path, cause);
  }
}
