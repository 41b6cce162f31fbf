/** Whether names in a folder are those of a LevelDB. */
export function isLevel(names: readonly string[]): boolean {
  return names.includes('CURRENT') && names.some((name) => name.startsWith('MANIFEST-'));
}
