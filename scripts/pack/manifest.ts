/** The package.json files of what is published. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot, PLATFORMS } from '../../lib/places.js';

interface Manifest {
  readonly [field: string]: unknown;
  readonly version: string;
  readonly files: readonly string[];
}

export const root = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as Manifest;

const OF_THE_CLONE = ['private', 'scripts', 'devDependencies', 'overrides'];

/**
 * cortado's own. A clone's package.json is not what is published: it has scripts, which no package manager should run
 * in other people's installations, and no packages for platforms. Those are of this very version, so that no registry has
 * them before it is released, and `npm ci` in a clone would fail.
 */
export function mainManifest(): Manifest {
  const published = Object.entries(root).filter(([field]) => !OF_THE_CLONE.includes(field));
  const platforms = Object.keys(PLATFORMS).map((platform) => [`@cortado/${platform}`, root.version]);
  return { ...(Object.fromEntries(published) as Manifest), optionalDependencies: Object.fromEntries(platforms) };
}

/** That of a prebuilt package: `platform` as PLATFORMS names it, `files` without the folder. */
export function platformManifest(
  name: string,
  platform: string,
  description: string,
  files: readonly string[],
): Manifest {
  const [os, cpu, musl] = platform.split('-');
  const { license, engines, publishConfig } = root;
  return {
    name,
    version: root.version,
    description,
    license,
    os: [os],
    cpu: [cpu],
    ...(os === 'linux' && { libc: [musl ?? 'glibc'] }),
    engines,
    publishConfig,
    // Yarn's archives are no place for the system's loader to read from.
    preferUnplugged: true,
    files,
  };
}
