import { fileURLToPath } from 'node:url';

/** A file that the original library wrote; see the make_….py beside this one. */
export function original(name: string): string {
  return fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
}
