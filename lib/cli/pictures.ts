import { stat } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { glob, isDynamicPattern } from 'tinyglobby';
import { decodeImage, PICTURE_EXTENSIONS, type Image } from '../images/index.js';
import { BadUsage } from './command.js';

/** A picture that was asked for, not yet read. */
export interface Picture {
  readonly name: string;
  readonly decode: () => Promise<Image>;
}

/**
 * The pictures that arguments mean: files, folders (all pictures in them, in the order of their names), patterns such as
 * `photos/**\/*.jpg`, and `-` for standard input. What is not there becomes a picture that fails when it is decoded.
 * @throws {BadUsage} when a folder or pattern holds none
 */
export async function findPictures(words: readonly string[]): Promise<Picture[]> {
  if (words.filter((word) => word === '-').length > 1) throw new BadUsage('standard input (-) can be read only once');
  const found: Picture[] = [];
  for (const word of words) {
    if (word === '-') found.push(fromStandardInput());
    else found.push(...(await filesOf(word)).map((name) => ({ name, decode: () => decodeImage(name) })));
  }
  return found;
}

function fromStandardInput(): Picture {
  return { name: '-', decode: async () => decodeImage(await buffer(process.stdin), { name: 'standard input' }) };
}

async function filesOf(word: string): Promise<string[]> {
  const what = await stat(word).catch(() => undefined);
  if (what?.isDirectory()) {
    const folder = word.replace(/\/+$/, '');
    const names = await glob(`*.{${PICTURE_EXTENSIONS.join(',')}}`, { cwd: word, caseSensitiveMatch: false });
    return some(
      names.map((name) => `${folder}/${name}`),
      word,
    );
  }
  if (what || !isDynamicPattern(word)) return [word];
  return some(await glob(word, { expandDirectories: false }), word);
}

function some(files: string[], word: string): string[] {
  if (files.length === 0) throw new BadUsage(`no pictures found in ${word}`);
  return files.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
}
