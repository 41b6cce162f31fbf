/**
 * Makes the tarballs that are published: tsx scripts/pack/run.ts [--out dist-packages] [name…]
 * Without names all that this machine can make, and it says why it leaves out others; the release workflow runs it once
 * on each platform.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { packageRoot } from '../../lib/places.js';
import { emptyFolder, packages, type Package } from './packages.js';

const { values, positionals } = parseArgs({
  options: { out: { type: 'string', default: join(packageRoot, 'dist-packages') } },
  allowPositionals: true,
});
const unknown = positionals.filter((name) => !packages.some((known) => known.name === name));
if (unknown.length > 0)
  throw new Error(`expected names of ${packages.map(({ name }) => name).join(', ')}, got ${unknown.join(', ')}`);
const out = resolve(values.out);
mkdirSync(out, { recursive: true });

for (const one of packages) {
  const asked = positionals.includes(one.name);
  if (positionals.length > 0 && !asked) continue;
  const missing = one.missing();
  if (missing === undefined) await pack(one);
  else if (asked) throw new Error(`${one.name}: ${missing}`);
  else console.log(`${one.name}: left out, ${missing}`);
}

async function pack(one: Package): Promise<void> {
  const folder = emptyFolder(one.name);
  const needs = await one.make(folder);
  const answer = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', out], {
    cwd: folder,
    encoding: 'utf8',
  });
  const [{ filename, size, unpackedSize }] = JSON.parse(answer) as [Packed];
  const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  console.log(`${filename}: ${megabytes(size)}, unpacked ${megabytes(unpackedSize)}; needs ${needs}`);
}

interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
}
