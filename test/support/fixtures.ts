import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const beside = fileURLToPath(new URL('../../../shared/fixtures/', import.meta.url));
const root = resolve(process.env.CORTADO_FIXTURES ?? beside);
let told = false;

/**
 * A folder of the reference outputs of Caffe; undefined when they are not on this machine, which is said once. Their
 * place is CORTADO_FIXTURES, or `../shared/fixtures` beside the repository.
 */
export function fixtures(folder: string): string | undefined {
  const path = join(root, 'caffe', folder);
  if (existsSync(path)) return path;
  if (!told)
    console.log(
      `    (no reference outputs at ${join(root, 'caffe')}: tests against them are skipped; set CORTADO_FIXTURES)`,
    );
  told = true;
  return undefined;
}
