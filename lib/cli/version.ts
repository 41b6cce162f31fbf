import { packageVersion } from '../places.js';

/** Of this package. */
export function version(): string {
  return packageVersion ?? 'unknown';
}
