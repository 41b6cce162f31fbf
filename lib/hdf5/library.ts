/**
 * HDF5 by h5wasm, the library of the HDF Group compiled to WebAssembly. It is synchronous, and starting it takes a tenth of
 * a second: only worker threads may import this file.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import * as h5 from 'h5wasm/node';
import { FormatError } from '../errors.js';

export { Dataset } from 'h5wasm/node';
export type { File, Group } from 'h5wasm/node';

/** Opens a file to read from it now and then. @throws {FormatError} for whatever HDF5 finds wrong with it */
export async function openFile(path: string): Promise<h5.File> {
  (await h5.ready).activate_throwing_error_handler();
  try {
    checkReadable(path);
    return new h5.File(path, 'r');
  } catch (cause) {
    throw explained(path, cause);
  }
}

/** Runs `work` with an open file, and closes it. @throws {FormatError} for whatever HDF5 finds wrong with it */
export async function withFile<T>(path: string, mode: 'r' | 'w', work: (file: h5.File) => T | Promise<T>): Promise<T> {
  (await h5.ready).activate_throwing_error_handler();
  try {
    if (mode === 'r') checkReadable(path);
    const file = new h5.File(path, mode);
    try {
      return await work(file);
    } finally {
      file.close();
    }
  } catch (cause) {
    throw explained(path, cause);
  }
}

/** The file system's own words are better than HDF5's. */
function checkReadable(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    readSync(descriptor, Buffer.alloc(1), 0, 1, 0);
  } finally {
    closeSync(descriptor);
  }
}

/** HDF5 reports one line for each function on its stack; the innermost knows what is wrong. */
export function explained(path: string, cause: unknown): FormatError {
  if (cause instanceof FormatError) return cause;
  const text = cause instanceof Error ? cause.message : String(cause);
  if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT')
    return new FormatError(`${path}: no such file`);
  const reasons = [...text.matchAll(/^\s*#\d+: \S+ line \d+ in \S+: (.*)$/gm)].map(([, reason]) => reason!);
  return new FormatError(`${path}: not a readable HDF5 file: ${reasons.at(-1) ?? text}`, { cause });
}
