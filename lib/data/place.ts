import { stat } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import { FormatError } from '../errors.js';

/** What lies at a path. @throws {FormatError} when nothing does, or it may not be looked at */
export async function lookAt(path: string): Promise<Stats> {
  try {
    return await stat(path);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** Whether something lies at a path. */
export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** The error for a file or folder that cannot be read. */
export function unreadable(path: string, cause: unknown): FormatError {
  const missing = cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR');
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new FormatError(`${path}: ${missing ? 'no such file or folder' : `cannot be read: ${reason}`}`, { cause });
}
