/** The package managers, each as its users call it, with scripts of dependencies ignored. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../lib/places.js';

export interface Manager {
  readonly name: string;
  /** The program in JavaScript, and its words. */
  command(registry: string, packages: readonly string[]): string[];
  /** Settings that it takes from a file alone. */
  prepare?(folder: string, registry: string): void;
}

/** The registry that this machine uses. */
export const upstream = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim();

const globals = execFileSync('npm', ['root', '--global'], { encoding: 'utf8' }).trim();

function inside(name: string, file: string): string {
  return join(packageRoot, 'node_modules', name, 'bin', file);
}

export const managers: readonly Manager[] = [
  {
    name: 'npm',
    command: (registry, packages) => [
      join(globals, 'npm', 'bin', 'npm-cli.js'),
      ...['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', `--registry=${registry}`],
      ...packages,
    ],
  },
  {
    name: 'pnpm',
    command: (registry, packages) => [
      inside('pnpm', 'pnpm.cjs'),
      ...['add', '--ignore-scripts', '--prefer-offline', `--registry=${registry}`],
      ...packages,
    ],
  },
  {
    name: 'yarn',
    command: (_, packages) => [inside('@yarnpkg/cli-dist', 'yarn.js'), 'add', '--exact', ...packages],
    prepare(folder, registry) {
      const settings = {
        npmRegistryServer: registry,
        unsafeHttpWhitelist: ['127.0.0.1'],
        nodeLinker: 'node-modules',
        enableScripts: false,
        enableTelemetry: false,
        // What was published today is not refused.
        npmMinimalAgeGate: 0,
        // Elsewhere it would keep this version's tarballs and their addresses from one run to the next.
        globalFolder: join(folder, '.yarn-global'),
      };
      writeFileSync(join(folder, '.yarnrc.yml'), JSON.stringify(settings));
      writeFileSync(join(folder, 'yarn.lock'), '');
    },
  },
];
