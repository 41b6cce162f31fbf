/** What a Linux library asks of the system that loads it, read from the library itself. */
import { execFileSync } from 'node:child_process';
import { basename } from 'node:path';
import { BASELINE, compareVersions, inBaseline } from './baseline.js';

const MACHINES: Readonly<Record<string, string>> = { x64: 'X86-64', arm64: 'AArch64' };

/** Libraries that Node loads itself, and those of glibc's that older ones have apart. */
const KNOWN = /^(lib(c|m|dl|pthread|rt)\.so\.\d+|libstdc\+\+\.so\.6|libgcc_s\.so\.1|ld-linux-[\w-]+\.so\.\d)$/;

/**
 * The newest versions that a library needs, such as `GLIBC 2.27, GLIBCXX 3.4.22`; `siblings` come in the same package.
 * @throws {Error} where the baseline lacks something of it, or the library is for another CPU
 */
export function checkBaseline(library: string, cpu: string, siblings: readonly string[] = []): string {
  const read = (...flags: string[]): string => execFileSync('readelf', ['-W', ...flags, library], { encoding: 'utf8' });
  const name = basename(library);
  const machine = /Machine:\s+(.*)/.exec(read('-h'))?.[1] ?? '';
  if (!machine.includes(MACHINES[cpu]!)) throw new Error(`${name}: expected a library for ${cpu}, got ${machine}`);
  const foreign = [...read('-d').matchAll(/\(NEEDED\).*\[(.*)\]/g)]
    .map(([, file]) => file!)
    .filter((file) => !KNOWN.test(file) && !siblings.includes(file));
  if (foreign.length > 0)
    throw new Error(`${name}: expected libraries of the system alone, needs ${foreign.join(', ')}`);
  return describe(name, read('-V'));
}

function describe(name: string, table: string): string {
  const newest = new Map<string, string>();
  for (const [, family = '', version = ''] of table.matchAll(/Name: ([A-Z]+)_([\d.]+)\s+Flags:/g)) {
    if (!inBaseline(family, version))
      throw new Error(`${name}: needs ${family}_${version}, newer than ${family}_${BASELINE[family] ?? 'none'}`);
    if (compareVersions(version, newest.get(family) ?? '0') > 0) newest.set(family, version);
  }
  return [...newest].map(([family, version]) => `${family} ${version}`).join(', ');
}
