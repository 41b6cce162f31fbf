import { join, resolve } from 'node:path';
import { AddonError, type AddonAttempt } from './errors.js';
import { hasAsset, withAsset } from './executable.js';
import {
  atPath,
  besideBundle,
  buildFolder,
  inPackage,
  isClone,
  load,
  packageVersion,
  platform,
  PLATFORMS,
  type Place,
} from './places.js';

const FILE = 'cortado.node';

export interface FoundAddon {
  readonly addon: unknown;
  /** The file; of an addon inside a single-executable application, the executable. */
  readonly path: string;
  readonly how: string;
}

/** Every place to look, best first. CORTADO_ADDON names the only one. */
export function addonPlaces(): Place[] {
  const wish = process.env.CORTADO_ADDON;
  if (wish) return [atPath('named by CORTADO_ADDON', resolve(wish))];
  if (hasAsset(FILE)) return [{ how: 'inside the executable', name: FILE, path: process.execPath, reason: '' }];
  const prebuilt = inPackage(`@cortado/${platform()}`, FILE);
  if (packageVersion === undefined) return [besideBundle(FILE), prebuilt];
  return [prebuilt, atPath('built on this machine', join(buildFolder, FILE))];
}

/**
 * Finds and loads the native addon.
 *
 * @throws AddonError with code `ADDON_NOT_FOUND`, every place `tried` and the command that would `fix` it.
 */
export function findAddon(): FoundAddon {
  const tried: AddonAttempt[] = [];
  for (const { path, name, how, reason } of addonPlaces()) {
    if (path === undefined) {
      tried.push({ path: name, reason });
      continue;
    }
    try {
      return { addon: path === process.execPath ? withAsset(FILE, load) : load(path), path, how };
    } catch (error) {
      tried.push({ path, reason: firstLine(error) });
    }
  }
  throw addonError(tried);
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
  if (process.env.CORTADO_ADDON) return 'unset CORTADO_ADDON';
  if (packageVersion === undefined) return `copy ${FILE} of the package @cortado/${platform()} beside the bundle`;
  if (isClone()) return 'npm run build:native';
  const prebuilt = tried.find(({ path }) => path === `@cortado/${platform()}`);
  // A package that is there and does not load would not load again.
  if (!prebuilt || !Object.hasOwn(PLATFORMS, platform())) return 'npx cortado build';
  return `npm install ${prebuilt.path}@${packageVersion}`;
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\n[^]*/, '').trim();
}
