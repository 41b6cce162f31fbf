import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { familySync, MUSL } from 'detect-libc';

/** Bundlers that write CommonJS leave import.meta.url undefined; their own file is then what this one is part of. */
const here = (import.meta.url as string | undefined) ?? pathToFileURL(__filename).href;

const require = createRequire(here);

/** The folder of this file, or of the bundle that it has become part of. */
const folder = dirname(fileURLToPath(here));

/** The package's own folder: one above this file, both in lib/ and in dist/. Means nothing in a bundle. */
export const packageRoot = resolve(folder, '..');

/** This package's version; undefined in a bundle, which has no folder of the package around it. */
export const packageVersion = versionOf(join(packageRoot, 'package.json'), 'cortado');

/** Where local builds go. */
export const buildFolder = join(packageRoot, 'build', 'Release');

/** A place where a file that is not JavaScript may be. */
export interface Place {
  /** How it would have come there, for people. */
  readonly how: string;
  /** The place as shown in messages: a path, or the name of a package. */
  readonly name: string;
  /** Absolute; undefined where there is no such file, and then `reason` says so. */
  readonly path: string | undefined;
  readonly reason: string;
}

/** Platforms that prebuilt packages are published for, by npm's names; GPUs where the last is true. */
export const PLATFORMS = {
  'linux-x64': { cuda: true },
  'linux-arm64': { cuda: false },
  'linux-x64-musl': { cuda: false },
  'darwin-arm64': { cuda: false },
  'win32-x64': { cuda: false },
} as const;

/** This platform as prebuilt packages name it, such as `linux-x64` or `linux-x64-musl`. */
export function platform(): string {
  return `${process.platform}-${process.arch}${familySync() === MUSL ? '-musl' : ''}`;
}

/** A clone has its own scripts, an installed package the program. */
export function isClone(): boolean {
  return existsSync(join(packageRoot, 'binding.gyp'));
}

/** A file at a path. */
export function atPath(how: string, path: string): Place {
  const found = existsSync(path);
  return { how, path: found ? path : undefined, name: path, reason: found ? '' : 'no such file' };
}

/** A file of a prebuilt package, which has to be of this package's version. */
export function inPackage(name: string, file: string): Place {
  const place = { how: 'prebuilt package', name, path: undefined };
  const found = resolved(`${name}/${file}`);
  if (found === undefined) return { ...place, reason: 'not installed' };
  const version = versionOf(join(dirname(found), 'package.json'), name);
  if (packageVersion !== undefined && version !== packageVersion)
    return { ...place, reason: `of version ${version ?? 'unknown'}, ${packageVersion} needed` };
  // Electron reads inside its archives; the system's loader does not, so packagers lay native code beside them.
  const unpacked = found.replace(`app.asar${sep}`, `app.asar.unpacked${sep}`);
  return { ...place, path: existsSync(unpacked) ? unpacked : found, reason: '' };
}

/** A file beside the bundle or the executable that this package has become part of. */
export function besideBundle(file: string): Place {
  return atPath('beside the bundle', join(folder, file));
}

/** Loads an addon. @throws what Node's loader says */
export function load(path: string): unknown {
  return require(path);
}

function resolved(request: string): string | undefined {
  try {
    return require.resolve(request);
  } catch {
    return undefined;
  }
}

function versionOf(file: string, name: string): string | undefined {
  if (!existsSync(file)) return undefined;
  const found = JSON.parse(readFileSync(file, 'utf8')) as { name?: string; version?: string };
  return found.name === name ? found.version : undefined;
}
