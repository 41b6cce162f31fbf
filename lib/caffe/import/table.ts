import { nearest } from '../text/nearest.js';
import { arrangeFamily } from './arrange.js';
import { classifyFamily } from './classify.js';
import type { Family, Writer } from './family.js';
import { linearFamily } from './linear.js';
import { normalizeFamily } from './normalize.js';
import { pointwiseFamily } from './pointwise.js';
import type { Reader } from './site.js';
import { windowFamily } from './window.js';

const FAMILIES: readonly Family[] = [
  windowFamily,
  linearFamily,
  pointwiseFamily,
  normalizeFamily,
  arrangeFamily,
  classifyFamily,
];

/** How each layer type is read. */
export const READERS = new Map<string, Reader>(FAMILIES.flatMap(({ readers }) => Object.entries(readers)));

/** How each op is written. */
export const WRITERS = new Map<string, Writer>(FAMILIES.flatMap(({ writers }) => Object.entries(writers)));

/** What to say of a layer type that has no reader. */
export function unknownType(type: string): string {
  const guess = nearest(type, READERS.keys());
  return `type ${JSON.stringify(type)} is not supported${guess === undefined ? '' : `; did you mean ${guess}?`}`;
}
