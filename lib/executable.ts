import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

// Other runtimes, and Electron, have no such module.
const sea = process.getBuiltinModule('node:sea');

/** Whether this process is a single-executable application that carries an asset of that name. */
export function hasAsset(name: string): boolean {
  return assetOf(name) !== undefined;
}

/** Hands an asset to `use` as a file: the system's loader takes nothing else. */
export function withAsset<T>(name: string, use: (path: string) => T): T {
  const path = join(mkdtempSync(join(tmpdir(), 'cortado-')), name);
  writeFileSync(path, new Uint8Array(assetOf(name)!));
  try {
    return use(path);
  } finally {
    // Windows deletes no file that is loaded.
    if (process.platform !== 'win32') rmSync(dirname(path), { recursive: true });
  }
}

function assetOf(name: string): ArrayBuffer | undefined {
  if (!sea?.isSea()) return undefined;
  try {
    return sea.getRawAsset(name) as ArrayBuffer;
  } catch {
    return undefined; // no such asset
  }
}
