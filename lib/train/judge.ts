import { UsageError } from '../errors.js';
import type { Graph, Value } from '../graph.js';
import { scalars } from './evaluate.js';
import type { Best, Progress } from './progress.js';

/** Which metric of an evaluation says how good a net is, and whether more of it is better. */
export interface Measure {
  readonly name: string;
  readonly rises: boolean;
}

/**
 * The metric to watch: the one that is named, or the net's first accuracy, or its first loss. Losses are to fall, all else
 * is to rise.
 * @throws {UsageError} for a name that is no output with one number
 */
export function measureOf(graph: Graph, name?: string): Measure | undefined {
  const outputs = scalars(graph);
  const isLoss = (value: Value): boolean => graph.losses.includes(value);
  const named = outputs.find(([each]) => each === name);
  if (name !== undefined && !named)
    throw new UsageError(
      `metric: expected one of ${outputs.map(([each]) => each).join(', ') || 'none'}, got "${name}"`,
    );
  const found = named ?? outputs.find(([, value]) => !isLoss(value)) ?? outputs[0];
  return found && { name: found[0], rises: !isLoss(found[1]) };
}

/** Remembers the best evaluation, and how long ago it was. */
export class Judge {
  #best: Best | undefined;
  #stale: number;

  constructor(
    readonly measure: Measure,
    { best, stale = 0 }: Partial<Progress> = {},
  ) {
    this.#best = best;
    this.#stale = stale;
  }

  get best(): Best | undefined {
    return this.#best;
  }

  /** Evaluations since the best one. */
  get stale(): number {
    return this.#stale;
  }

  /** Whether it is better than all before it. NaN never is. */
  add(iteration: number, metrics: Readonly<Record<string, number>>): boolean {
    const value = metrics[this.measure.name] ?? NaN;
    const before = this.#best?.value;
    const better =
      !Number.isNaN(value) && (before === undefined || (this.measure.rises ? value > before : value < before));
    if (better) this.#best = { iteration, value };
    this.#stale = better ? 0 : this.#stale + 1;
    return better;
  }
}
