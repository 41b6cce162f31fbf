import { spawnSync } from 'node:child_process';

/** A Python that may have the libraries whose files we read and write. */
const PYTHON = process.env.CORTADO_PYTHON ?? 'python3';
const asked = new Map<string, boolean>();

/** Whether Python has these modules, all of them; where not, says so once. */
export function pythonHas(...modules: readonly string[]): boolean {
  const key = modules.join(', ');
  if (!asked.has(key)) {
    const { status } = spawnSync(PYTHON, ['-c', `import ${key}`], { stdio: 'ignore' });
    asked.set(key, status === 0);
    if (status !== 0) console.log(`    (no ${key} in ${PYTHON}: tests against it are skipped; set CORTADO_PYTHON)`);
  }
  return asked.get(key)!;
}

/** What a program prints. @throws when it fails, with what it said */
export function python(code: string, args: readonly string[] = []): string {
  const { status, stdout, stderr } = spawnSync(PYTHON, ['-c', code, ...args], { encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(`python failed:\n${stderr}`);
  return stdout;
}
