import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { globSync } from 'tinyglobby';
import { typescript } from './cli.js';
import { compiled, type ScriptResult } from './scripts.js';

const root = resolve(import.meta.dirname, '..', '..');

/** A fenced block of a page, and what the words behind its language say of it. */
export interface Snippet {
  readonly page: string;
  readonly language: string;
  readonly code: string;
  /** Of its first line of code. */
  readonly line: number;
  /** What it takes that tests do not have: `js needs: a GPU`. */
  readonly needs: string | undefined;
  /** The file that it shows a part of: `cpp from native/kernels/activations.h`. */
  readonly from: string | undefined;
}

/** The pages that people read, by their paths. */
export function pages(): string[] {
  return globSync(['*.md', 'docs/**/*.md', 'bench/*.md', 'examples/**/*.md'], { cwd: root }).sort();
}

/** The fenced blocks of a page. */
export function snippets(page: string): Snippet[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/^```(\S*)(?: ([^\n]*))?\n(.*?)^```$/gms)].map((match) => {
    const [, language = '', about = '', code = ''] = match;
    return {
      ...{ page, language, code, line: text.slice(0, match.index).split('\n').length + 1 },
      needs: /^needs: (.+)$/.exec(about)?.[1],
      from: /^from (.+)$/.exec(about)?.[1],
    };
  });
}

/** Lines of code, without comments and blank ones, as they stand in any indentation. */
function codeLines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.replace(/(^|\s)(\/\/.*|\/\*\*.*\*\/)$/, '').replace(/\\$/, ''))
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** The first line of a snippet that its file does not have, behind those before it. */
export function strange({ code, from }: Snippet): string | undefined {
  const lines = codeLines(readFileSync(join(root, from!), 'utf8'));
  let at = 0;
  for (const line of codeLines(code)) {
    const found = lines.indexOf(line, at);
    if (found < 0) return line;
    at = found + 1;
  }
  return undefined;
}

/** What runs a snippet, by its language. */
const RUNNERS: Readonly<Record<string, (file: string) => readonly [command: string, ...words: string[]]>> = {
  js: (file) => [process.execPath, file],
  cjs: (file) => [process.execPath, file],
  ts: (file) => [process.execPath, ...typescript, file],
  sh: (file) => ['bash', '-eu', file],
};
const ENDINGS: Readonly<Record<string, string>> = { js: 'mjs', ts: 'mts' };
/** What is installed, without the search for it: half a second of each command. */
const SHELL = 'npx() { local command=$1; shift; "node_modules/.bin/$command" "$@"; }\n';

/** Whether a snippet is a program: it runs, or says why not. */
export function isProgram({ language, from }: Snippet): boolean {
  return Object.hasOwn(RUNNERS, language) && from === undefined;
}

/** A folder in which `cortado` is installed, as an application's would be. */
export class Application {
  readonly folder = mkdtempSync(join(tmpdir(), 'cortado-app-'));

  constructor() {
    compiled();
    mkdirSync(join(this.folder, 'node_modules', '.bin'), { recursive: true });
    // Whatever lies in the folders above is of no account.
    this.write('package.json', '{ "private": true }\n');
    symlinkSync(root, join(this.folder, 'node_modules', 'cortado'), 'junction');
    symlinkSync(join(root, 'node_modules', '@types'), join(this.folder, 'node_modules', '@types'), 'junction');
    this.write(
      'node_modules/.bin/cortado',
      `#!/bin/sh\nexec node "${join(root, 'dist', 'cli', 'main.js')}" "$@"\n`,
      0o755,
    );
  }

  write(name: string, content: string | Uint8Array, mode = 0o644): string {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content, { mode });
    return path;
  }

  /** Runs a program in the folder. */
  run(code: string, language = 'js'): ScriptResult {
    const file = this.write(`snippet.${ENDINGS[language] ?? language}`, language === 'sh' ? SHELL + code : code);
    const [command, ...words] = RUNNERS[language]!(file);
    // Teams that wait for each other's cores would take the time that tests do not have.
    const env = { ...process.env, CORTADO_THREADS: '1' };
    const options = { cwd: this.folder, encoding: 'utf8', timeout: 120_000, env } as const;
    const { status, signal, stdout, stderr } = spawnSync(command, words, options);
    return { code: status, signal, stdout, stderr };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}
