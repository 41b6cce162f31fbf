import { FormatError } from '../../errors.js';

/** @throws {FormatError} for a label that is none of so many classes */
export function checkLabel(name: string, label: number, classes: number | undefined): void {
  if (classes === undefined || (Number.isInteger(label) && label >= 0 && label < classes)) return;
  throw new FormatError(`${name}: expected a label from 0 to ${classes - 1}, got ${label}`);
}
