/**
 * The addon for Windows, compiled on Linux by Clang, LLVM's linker and the headers and libraries of MinGW-w64. That Node
 * itself is made by another compiler is no matter: what passes between the two is Node-API, which is C.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { compileAddonIn, stage } from '../../lib/cli/compile.js';
import { onPath } from '../../lib/cli/toolchain.js';
import { withEnvironment } from './environment.js';

const TARGET = 'x86_64-w64-windows-gnu';
const TOOLS = ['clang++', 'ld.lld', 'llvm-ar', 'llvm-dlltool', 'llvm-readobj', 'x86_64-w64-mingw32-g++'];

/** Libraries that every Windows has, and the program that the addon is loaded into. */
const KNOWN: readonly string[] = ['KERNEL32.dll', 'msvcrt.dll', 'node.exe'];

/** What this machine lacks for it; undefined where it lacks nothing. */
export function missingForWindows(): string | undefined {
  if (process.platform !== 'linux') return 'made on Linux';
  const missing = TOOLS.filter((tool) => onPath(tool) === undefined);
  return missing.length === 0 ? undefined : `needs ${missing.join(', ')} in PATH`;
}

/** Compiles it in a folder and returns its path. */
export async function compileForWindows(folder: string): Promise<string> {
  const tools = join(folder, 'tools');
  mkdirSync(tools, { recursive: true });
  return withEnvironment(
    {
      GYP_DEFINES: 'OS=mingw',
      CC: `clang --target=${TARGET}`,
      CXX: `clang++ --target=${TARGET}`,
      AR: 'llvm-ar',
      LINK_target: linker(tools), // LLVM's linker takes LINK for more of its words
      LDFLAGS: ['-fuse-ld=lld -static -s', nodeLibrary(tools), '-ldelayimp -Wl,--delayload=node.exe'].join(' '),
    },
    () => compileAddonIn(stage(join(folder, 'stage')), false, 'x64'),
  );
}

/** gyp gives the library a name that only Linux's linkers know. */
function linker(folder: string): string {
  const path = join(folder, 'link');
  const filter = 'for word; do shift; case $word in -Wl,-soname=*) ;; *) set -- "$@" "$word" ;; esac; done';
  writeFileSync(path, `#!/bin/sh\n${filter}\nexec clang++ --target=${TARGET} "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}

/** The list of Node's functions, as a linker takes it: native/binding/host_program.cpp says where they are found. */
function nodeLibrary(folder: string): string {
  const headers = dirname(createRequire(import.meta.url).resolve('node-api-headers/package.json'));
  const path = join(folder, 'libnode.a');
  const names = join(headers, 'def', 'node_api.def');
  execFileSync('llvm-dlltool', ['-m', 'i386:x86-64', '-D', 'node.exe', '-d', names, '-l', path]);
  return path;
}

/**
 * The libraries that it asks for.
 * @throws {Error} where one of them is not on every Windows
 */
export function checkWindows(library: string): string {
  const table = execFileSync('llvm-readobj', ['--coff-imports', library], { encoding: 'utf8' });
  const needed = [...table.matchAll(/Import \{\n\s+Name: (.*)/g)].map(([, name]) => name!);
  const foreign = needed.filter((name) => !KNOWN.includes(name));
  if (needed.length === 0 || foreign.length > 0)
    throw new Error(
      `${basename(library)}: expected ${KNOWN.join(', ')} alone, needs ${needed.join(', ') || 'nothing'}`,
    );
  return needed.join(', ');
}
