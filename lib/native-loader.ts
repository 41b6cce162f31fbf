import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AddonError, type AddonAttempt } from './errors.js';

const require = createRequire(import.meta.url);

/** The package's own folder: one above this file, both in lib/ and in dist/. */
export const packageRoot = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** A place where the addon may be. */
export interface AddonCandidate {
  /** How it would have come there, for people. */
  readonly how: string;
  /** Absolute path; undefined when the place does not exist, and then `reason` says so. */
  readonly path: string | undefined;
  /** The place as shown in messages. */
  readonly place: string;
  readonly reason: string;
}

export interface FoundAddon {
  readonly addon: unknown;
  readonly path: string;
  readonly how: string;
}

/** This platform's prebuilt package, such as `@cortado/linux-x64` or `@cortado/linux-arm64-musl`. */
export function platformPackage(): string {
  return `@cortado/${process.platform}-${process.arch}${usesMusl() ? '-musl' : ''}`;
}

/** The command that builds or repairs the addon here: a clone has its own script, an installed package the program. */
export function buildCommand(): string {
  return existsSync(join(packageRoot, 'binding.gyp')) ? 'npm run build:native' : 'npx cortado build';
}

/** Every place to look, best first. CORTADO_ADDON names the only one. */
export function addonCandidates(): AddonCandidate[] {
  const wish = process.env.CORTADO_ADDON;
  if (wish) return [atPath('named by CORTADO_ADDON', resolve(wish))];
  return [atPath('built on this machine', join(packageRoot, 'build', 'Release', 'cortado.node')), prebuilt()];
}

/**
 * Finds and loads the native addon.
 *
 * @throws AddonError with code `ADDON_NOT_FOUND`, every place `tried` and the command that would `fix` it.
 */
export function findAddon(): FoundAddon {
  const tried: AddonAttempt[] = [];
  for (const { path, place, how, reason } of addonCandidates()) {
    if (path === undefined) {
      tried.push({ path: place, reason });
      continue;
    }
    try {
      return { addon: require(path) as unknown, path, how };
    } catch (error) {
      tried.push({ path, reason: firstLine(error) });
    }
  }
  throw addonError(tried);
}

/** The native addon, as it exports itself. Throws as findAddon() does. */
export function loadAddon(): unknown {
  return findAddon().addon;
}

/** The error for a list of places that all failed. */
export function addonError(tried: readonly AddonAttempt[]): AddonError {
  const fix = remedy(tried);
  const places = tried.map(({ path, reason }) => `${path}: ${reason}`).join('; ');
  const target = `${process.platform}-${process.arch}, Node ${process.versions.node}`;
  return new AddonError(`no native addon for ${target}; to mend it: ${fix} (tried ${places})`, tried, fix);
}

function remedy(tried: readonly AddonAttempt[]): string {
  if (tried.some(({ reason }) => /addons? (has been|is|are) disabled|ERR_DLOPEN_DISABLED/i.test(reason))) {
    return 'start Node without --no-addons';
  }
  return process.env.CORTADO_ADDON ? 'unset CORTADO_ADDON' : buildCommand();
}

function atPath(how: string, path: string): AddonCandidate {
  const found = existsSync(path);
  return { how, path: found ? path : undefined, place: path, reason: found ? '' : 'no such file' };
}

function prebuilt(): AddonCandidate {
  const how = 'prebuilt package';
  const place = platformPackage();
  try {
    return { how, path: require.resolve(`${place}/cortado.node`), place, reason: '' };
  } catch {
    return { how, path: undefined, place, reason: 'not installed' };
  }
}

/** True on a Linux whose C library is not glibc. */
function usesMusl(): boolean {
  if (process.platform !== 'linux') return false;
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime === undefined;
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\n[^]*/, '').trim();
}
