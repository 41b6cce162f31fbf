import { UsageError } from '../errors.js';

/** Checks a solver's numbers by name: each finite, at least 0. @throws {UsageError} */
export function checkNumbers(of: string, numbers: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (!(Number.isFinite(value) && value >= 0))
      throw new UsageError(`${of}: expected ${name} to be a finite number of at least 0, got ${value}`);
  }
}

/** The same for factors that must stay below 1. @throws {UsageError} */
export function checkFractions(of: string, numbers: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (!(value >= 0 && value < 1))
      throw new UsageError(`${of}: expected ${name} to be at least 0 and less than 1, got ${value}`);
  }
}

/** The same for counts. @throws {UsageError} */
export function checkWhole(of: string, numbers: Readonly<Record<string, number>>, least = 1): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (!(Number.isSafeInteger(value) && value >= least))
      throw new UsageError(`${of}: expected ${name} to be a whole number of at least ${least}, got ${value}`);
  }
}
