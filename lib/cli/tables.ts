import { align } from '../table.js';

/** How a class fared. */
export interface ClassRow {
  readonly class: number;
  readonly name?: string;
  /** Pictures of the class. */
  readonly count: number;
  /** Of the pictures taken for the class, the share that is; undefined when none was. */
  readonly precision: number | undefined;
  /** Of the pictures of the class, the share taken for it; undefined when there are none. */
  readonly recall: number | undefined;
}

/** Counts which classes pictures were taken for. */
export class Confusion {
  /** By true class, then by the class it was taken for. */
  readonly #counts: Uint32Array;

  constructor(readonly classes: number) {
    this.#counts = new Uint32Array(classes * classes);
  }

  add(truth: number, guess: number): void {
    this.#counts[truth * this.classes + guess]!++;
  }

  /** Pictures of a class that were taken for another, or the same. */
  at(truth: number, guess: number): number {
    return this.#counts[truth * this.classes + guess]!;
  }

  /** Share of the pictures that were taken for what they are; NaN without any. */
  get accuracy(): number {
    const right = Array.from({ length: this.classes }, (_, i) => this.at(i, i)).reduce((a, b) => a + b, 0);
    return right / this.#counts.reduce((a, b) => a + b, 0);
  }

  rows(names?: readonly string[]): ClassRow[] {
    const indices = Array.from({ length: this.classes }, (_, i) => i);
    return indices.map((index) => {
      const count = indices.reduce((sum, guess) => sum + this.at(index, guess), 0);
      const taken = indices.reduce((sum, truth) => sum + this.at(truth, index), 0);
      const right = this.at(index, index);
      const name = names?.[index];
      return {
        class: index,
        ...(name !== undefined && { name }),
        count,
        precision: taken > 0 ? right / taken : undefined,
        recall: count > 0 ? right / count : undefined,
      };
    });
  }

  /** Rows by true class. */
  toJSON(): number[][] {
    return Array.from({ length: this.classes }, (_, truth) =>
      Array.from(this.#counts.subarray(truth * this.classes, (truth + 1) * this.classes)),
    );
  }
}

/** Classes up to which the whole matrix is printed; of more, only the most frequent confusions. */
const MATRIX = 20;
const CONFUSIONS = 20;
/** Letters of a class's name at the head of its column. */
const HEAD = 6;

/** Precision and recall of each class that was seen or answered, as a table. */
export function formatClasses(rows: readonly ClassRow[]): string {
  const seen = rows.filter(({ count, precision }) => count > 0 || precision !== undefined);
  const cells = seen.map((row) => [nameOf(row), percent(row.precision), percent(row.recall), String(row.count)]);
  return align([['class', 'precision', 'recall', 'images'], ...cells], 1);
}

/** The whole matrix, a row for each true class; of many classes the most frequent confusions. */
export function formatConfusion(confusion: Confusion, names?: readonly string[]): string {
  return confusion.classes <= MATRIX ? matrix(confusion, names) : confusions(confusion, names);
}

function matrix(confusion: Confusion, names?: readonly string[]): string {
  const labels = Array.from({ length: confusion.classes }, (_, i) => names?.[i] ?? String(i));
  const head = ['true \\ answer', ...labels.map((label) => label.slice(0, HEAD))];
  const rows = labels.map((label, truth) => [
    label,
    ...labels.map((_, guess) => {
      const count = confusion.at(truth, guess);
      return count === 0 ? '·' : String(count);
    }),
  ]);
  return align([head, ...rows], 1);
}

function confusions(confusion: Confusion, names?: readonly string[]): string {
  const found: { truth: number; guess: number; count: number }[] = [];
  for (let truth = 0; truth < confusion.classes; truth++) {
    for (let guess = 0; guess < confusion.classes; guess++) {
      const count = confusion.at(truth, guess);
      if (truth !== guess && count > 0) found.push({ truth, guess, count });
    }
  }
  found.sort((a, b) => b.count - a.count || a.truth - b.truth);
  const name = (index: number): string => names?.[index] ?? `class ${index}`;
  const cells = found
    .slice(0, CONFUSIONS)
    .map(({ truth, guess, count }) => [name(truth), `taken for ${name(guess)}`, String(count)]);
  return align([['most frequent confusions', '', 'images'], ...cells], 2);
}

function nameOf({ class: index, name }: ClassRow): string {
  return name ?? `class ${index}`;
}

function percent(share: number | undefined): string {
  return share === undefined ? '–' : `${(100 * share).toFixed(1)}%`;
}
