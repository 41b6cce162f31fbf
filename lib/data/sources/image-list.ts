import { createReadStream } from 'node:fs';
import { dirname, join, isAbsolute } from 'node:path';
import { FormatError } from '../../errors.js';
import type { Dataset } from '../dataset.js';
import { Pace } from '../pace.js';
import { lookAt, unreadable } from '../place.js';
import type { TransformOptions } from '../transform.js';
import { FILES, type FileRef } from './files.js';

export interface ImageListOptions extends TransformOptions {
  /** Folder that the paths of the list begin at. Default: the folder of the list. */
  readonly root?: string;
  /** Ends the reading of the list. */
  readonly signal?: AbortSignal;
}

/** A line of a list; longer ones are no paths. */
const MOST_LINE = 65536;

/**
 * Pictures that a text file lists: on each line a path and, behind the last space, a label. Empty lines are passed over.
 * A picture that is missing is an error when it is read.
 * @throws {FormatError} when the list is missing or empty, or naming the line that has no label
 */
export async function imageList(path: string, options: ImageListOptions = {}): Promise<Dataset<FileRef>> {
  const { root = dirname(path), signal, ...transform } = options;
  if ((await lookAt(path)).isDirectory()) throw new FormatError(`${path}: expected a list of pictures, got a folder`);
  const files: string[] = [];
  const labels: number[] = [];
  for await (const { line, number } of lines(path, new Pace(signal))) {
    const { file, label } = parse(line, `${path}, line ${number}`);
    files.push(file);
    labels.push(label);
  }
  if (files.length === 0) throw new FormatError(`${path}: expected lines with a picture and its label, got none`);
  return {
    name: path,
    length: files.length,
    classes: undefined,
    labelShape: [],
    reader: FILES,
    transform,
    ref(index) {
      const file = files[index]!;
      return { path: isAbsolute(file) ? file : join(root, file), label: labels[index]! };
    },
    label: (index) => labels[index]!,
  };
}

function parse(line: string, where: string): { file: string; label: number } {
  const [, file, label] = /^(.*\S)[ \t]+([+-]?\d+)$/.exec(line) ?? [];
  if (file !== undefined && label !== undefined) return { file, label: Number(label) };
  const got = line.length > 100 ? `${line.slice(0, 100)}…` : line;
  throw new FormatError(`${where}: expected a path, a space and a whole number, got "${got}"`);
}

interface Line {
  readonly line: string;
  /** From 1. */
  readonly number: number;
}

/** The lines of a text file that are not empty, without the space at their ends. */
async function* lines(path: string, pace: Pace): AsyncGenerator<Line> {
  let number = 0;
  let rest = '';
  try {
    for await (const chunk of createReadStream(path, 'utf8') as AsyncIterable<string>) {
      const parts = (rest + chunk).split('\n');
      rest = parts.pop()!;
      if (rest.length > MOST_LINE)
        throw new FormatError(`${path}, line ${number + parts.length + 1}: not a list: too long`);
      for (const part of parts) {
        number++;
        const line = part.trimEnd();
        if (line !== '') yield { line, number };
        if (pace.due) await pace.rest();
      }
    }
  } catch (cause) {
    if (cause instanceof Error && 'syscall' in cause) throw unreadable(path, cause);
    throw cause;
  }
  if (rest.trimEnd() !== '') yield { line: rest.trimEnd(), number: number + 1 };
}
