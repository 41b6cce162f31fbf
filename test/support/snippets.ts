import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { compiled, type ScriptResult } from './scripts.js';

const root = resolve(import.meta.dirname, '..', '..');

/** A snippet of a page, and the line it begins at. */
export interface Snippet {
  readonly code: string;
  readonly line: number;
}

/** The snippets of one language in a page of docs/. */
export function snippets(page: string, language: string): Snippet[] {
  const text = readFileSync(join(root, 'docs', page), 'utf8');
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map((match) => ({
    code: match[1]!,
    line: text.slice(0, match.index).split('\n').length + 1,
  }));
}

/** A folder in which `cortado` is installed, as an application's would be. */
export class Application {
  readonly folder = mkdtempSync(join(tmpdir(), 'cortado-app-'));

  constructor() {
    compiled();
    mkdirSync(join(this.folder, 'node_modules'));
    symlinkSync(root, join(this.folder, 'node_modules', 'cortado'), 'junction');
  }

  write(name: string, content: string | Uint8Array): string {
    const path = join(this.folder, name);
    writeFileSync(path, content);
    return path;
  }

  /** Runs a module; TypeScript by the compiler that runs the tests. */
  run(code: string, kind: 'mjs' | 'mts' = 'mjs'): ScriptResult {
    const file = this.write(`snippet.${kind}`, code);
    const flags =
      kind === 'mts' ? ['--import', 'tsx'].map((word) => (word === 'tsx' ? import.meta.resolve('tsx') : word)) : [];
    const { status, signal, stdout, stderr } = spawnSync(process.execPath, [...flags, file], {
      cwd: this.folder,
      encoding: 'utf8',
      timeout: 120_000,
    });
    return { code: status, signal, stdout, stderr };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}
