/**
 * The oldest Linux that the packages run on, whatever Linux they are made on: that of Node 20's own programs, glibc 2.28.
 *
 * A program asks for the newest version that a symbol had where it was linked (`objdump -T` shows them), so the packages
 * are linked against stand-ins of the system's libraries, which have of each symbol the version that the baseline has.
 * What the baseline lacks comes from the static libstdc++, or fails the link.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The newest version of each kind: glibc 2.28, and the libstdc++ and libgcc of GCC 8 (gcc.gnu.org/onlinedocs/libstdc++/manual/abi.html). */
export const BASELINE: Readonly<Record<string, string>> = {
  GLIBC: '2.28',
  GLIBCXX: '3.4.25',
  CXXABI: '1.3.11',
  GCC: '7.0.0',
};

/** Up to glibc 2.33 some of today's libc was in these, so that they have to be loaded; since then they are empty. */
const APART = ['libpthread.so.0', 'libdl.so.2', 'librt.so.1'];

/** A library's symbol with its version, such as `pthread_create`, `GLIBC`, `2.2.5`. */
interface Versioned {
  readonly name: string;
  readonly family: string;
  readonly version: string;
  readonly type: string;
  readonly size: number;
}

/** Whether the baseline has a version of that kind. */
export function inBaseline(family: string, version: string): boolean {
  const newest = BASELINE[family];
  return newest !== undefined && compareVersions(version, newest) <= 0;
}

/** Makes the stand-ins for a compiler's system in a folder and gives the flags that link against them. */
export function makeBaseline(compiler: string, folder: string): string[] {
  mkdirSync(folder, { recursive: true });
  const machine = execFileSync(compiler, ['-dumpmachine'], { encoding: 'utf8' });
  // Thread-local variables of shared libraries are reached through it.
  const loader = machine.startsWith('aarch64') ? 'ld-linux-aarch64.so.1' : 'ld-linux-x86-64.so.2';
  const all = ['libc.so.6', 'libm.so.6', 'libstdc++.so.6', 'libgcc_s.so.1', loader, ...APART];
  for (const library of all) standIn(compiler, folder, library);
  const script = (name: string, ...parts: string[]): void =>
    writeFileSync(join(folder, name), `GROUP ( ${parts.join(' ')} )\n`);
  const beside = [fileOf(compiler, 'libc_nonshared.a'), additions(compiler, folder)];
  script('libc.so', join(folder, 'libc.so.6'), ...beside, `AS_NEEDED ( ${join(folder, loader)} )`);
  script('libm.so', join(folder, 'libm.so.6'));
  script('libgcc_s.so', join(folder, 'libgcc_s.so.1'), '-lgcc');
  script('libstdc++.so', join(folder, 'libstdc++.so.6'), fileOf(compiler, 'libstdc++.a'));
  const needed = APART.map((library) => `-l:${library}`);
  return [`-L${folder}`, '-Wl,--exclude-libs,ALL', '-Wl,--push-state,--no-as-needed', ...needed, '-Wl,--pop-state'];
}

/** Compares dotted numbers. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => text.split('.').map(Number)) as [number[], number[]];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** A library without code that offers what the baseline's does. */
function standIn(compiler: string, folder: string, library: string): void {
  const newest = new Map<string, Versioned>();
  for (const symbol of symbolsOf(fileOf(compiler, library))) {
    if (!inBaseline(symbol.family, symbol.version)) continue;
    const known = newest.get(symbol.name);
    if (!known || compareVersions(symbol.version, known.version) > 0) newest.set(symbol.name, symbol);
  }
  const nodes = new Set([...newest.values()].map(({ family, version }) => `${family}_${version}`));
  const lines = [...newest.values()].map(
    ({ name, family, version, type, size }, i) =>
      `.globl s${i}\n.type s${i}, %${type}\n.size s${i}, ${size}\ns${i}:\n.symver s${i}, ${name}@@${family}_${version}, remove`,
  );
  const [source, versions] = [join(folder, `${library}.s`), join(folder, `${library}.map`)];
  writeFileSync(source, `.data\n${lines.join('\n')}\n`);
  writeFileSync(versions, [...nodes].map((node) => `${node} {};\n`).join(''));
  const flags = ['-shared', '-nostdlib', `-Wl,-soname,${library}`, `-Wl,--version-script=${versions}`];
  execFileSync(compiler, [...flags, source, '-o', join(folder, library)]);
}

function symbolsOf(library: string): Versioned[] {
  const table = execFileSync('readelf', ['--dyn-syms', '-W', library], { encoding: 'utf8', maxBuffer: 2 ** 26 });
  const line =
    /^\s*\d+: [0-9a-f]+\s+(\S+) (FUNC|OBJECT|IFUNC|TLS)\s+(?:GLOBAL|WEAK|UNIQUE)\s+\S+\s+\d+ ([^@\s]+)@@?([A-Z]+)_([\d.]+)$/gm;
  return [...table.matchAll(line)].map(([, size, type, name, family, version]) => ({
    name: name!,
    family: family!,
    version: version!,
    type: { OBJECT: 'object', TLS: 'tls_object' }[type!] ?? 'function',
    size: Number(size),
  }));
}

/** What headers of a newer glibc refer to, as the baseline would answer it. */
function additions(compiler: string, folder: string): string {
  const [source, object, archive] = ['c', 'o', 'a'].map((ending) => join(folder, `additions.${ending}`)) as [
    string,
    string,
    string,
  ];
  // Since 2.32, and true only as long as there is one thread: false is always right.
  writeFileSync(source, 'char __libc_single_threaded = 0;\n');
  execFileSync(compiler, ['-x', 'c', '-O2', '-fPIC', '-c', source, '-o', object]);
  execFileSync('ar', ['rcs', archive, object]);
  return archive;
}

function fileOf(compiler: string, library: string): string {
  return execFileSync(compiler, [`-print-file-name=${library}`], { encoding: 'utf8' }).trim();
}
