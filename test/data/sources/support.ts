import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after } from 'mocha';
import sharp from 'sharp';
import type { Dataset, Item } from '../../../lib/data/index.js';
import { open } from '../../../lib/data/readers.js';
import type { Shape } from '../../../lib/shape.js';
import { fixtures } from '../../support/fixtures.js';

/** A record of a database that Caffe wrote. */
export interface RecordEntry {
  readonly key: string;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly label: number;
  readonly encoded: boolean;
  readonly float_count: number;
  readonly data_sha256: string;
}

export interface DatabaseEntry {
  readonly name: string;
  readonly dir: string;
  readonly records: readonly RecordEntry[];
  readonly pixels?: { readonly file: string };
}

export interface DataFixtures {
  /** The folder with everything. */
  readonly folder: string;
  readonly dbs: readonly DatabaseEntry[];
  readonly data_layers: readonly {
    readonly name: string;
    readonly db?: string;
    readonly batch_size?: number;
    readonly prototxt: string;
    readonly data: { readonly file: string; readonly shape: Shape };
    readonly label: { readonly file: string; readonly shape: Shape };
  }[];
  readonly means: readonly { readonly file: string; readonly values: { readonly file: string } }[];
}

/** What Caffe's tools and data layers made of a few pictures, where it is on this machine. */
export function dataFixtures(): DataFixtures | undefined {
  const folder = fixtures('data');
  if (folder === undefined) return undefined;
  return {
    folder,
    ...(JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Omit<DataFixtures, 'folder'>),
  };
}

/** A folder that is gone when the tests of this file are through. Call it while they are described. */
export function scratch(): { readonly path: string; file(name: string, content?: string | Uint8Array): string } {
  const path = mkdtempSync(join(tmpdir(), 'cortado-data-'));
  after(() => rmSync(path, { recursive: true, force: true }));
  return {
    path,
    /** Writes a file, and the folders that it needs. */
    file(name, content = '') {
      const whole = join(path, name);
      mkdirSync(dirname(whole), { recursive: true });
      writeFileSync(whole, content);
      return whole;
    },
  };
}

/** Copies the files of a folder into another, writable. */
export function copyFolder(from: string, names: readonly string[], to: string): string {
  mkdirSync(to, { recursive: true });
  for (const name of names) copyFileSync(join(from, name), join(to, name));
  return to;
}

/** All items, in order. */
export async function readAll(dataset: Dataset): Promise<Item[]> {
  const reader = await open(dataset.reader);
  try {
    const items: Item[] = [];
    for (let i = 0; i < dataset.length; i++) items.push(await reader.read(dataset.ref(i)));
    return items;
  } finally {
    await reader.close();
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The bytes of a record as Caffe has them: those of floats do not count. */
export function storedBytes({ picture }: Item): Uint8Array {
  if ('encoded' in picture) return picture.encoded as Uint8Array;
  return picture.pixels instanceof Uint8Array ? picture.pixels : new Uint8Array();
}

/** A small picture of one colour. */
export function plainPng(red: number, green: number, blue: number, width = 6, height = 4): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 3, background: { r: red, g: green, b: blue } } })
    .png()
    .toBuffer();
}
