import { UsageError } from '../errors.js';
import type { Tensor } from '../tensor.js';
import { checkNumbers, checkWhole } from './numbers.js';
import { rateAt, stepsAt } from './rates.js';
import type { Solver } from './solver.js';

/** All that a solver remembers between two iterations: with the weights, enough to go on to the same bits. */
export interface SolverState {
  /** Updates done. */
  readonly iteration: number;
  /** Steps that the rate's policy has made. */
  readonly steps: number;
  /** Runs done, which dropout's masks depend on. Default: as many as the model has done. */
  readonly runs?: number;
  /** A rate that was set by hand and stands in for the policy. */
  readonly rate?: number;
  /** History of every learned parameter by its name: one tensor, or two (adadelta, adam, adamW). */
  readonly history: Readonly<Record<string, readonly Tensor[]>>;
}

/** Which run of an iteration: the only one, or one of several whose gradients are added up. */
export type Part = 'whole' | 'first' | 'middle' | 'last';

/** What a step leaves behind. */
export interface Advance {
  /** Mean loss over the runs of the iteration so far. */
  readonly loss: number;
  /** Whether it ended its iteration, and with it updated the parameters. */
  readonly updated: boolean;
}

/** Where a training stands: counts iterations and the runs within one, and knows the rate. */
export class Training {
  #iteration = 0;
  #steps = 0;
  #runs = 0;
  #losses = 0;
  #fixed: number | undefined;

  constructor(readonly solver: Solver) {}

  /** Updates done. */
  get iteration(): number {
    return this.#iteration;
  }

  /** The rate of the next update. */
  get rate(): number {
    const { rate } = this.solver;
    return this.#fixed ?? rateAt(rate, this.#iteration, stepsAt(rate, this.#iteration, this.#steps));
  }

  /** Takes the place of the policy from now on. @throws {UsageError} */
  set rate(rate: number) {
    if (!(Number.isFinite(rate) && rate >= 0))
      throw new UsageError(`rate: expected a finite number of at least 0, got ${rate}`);
    this.#fixed = rate;
  }

  /** What the next run is to its iteration. */
  get part(): Part {
    const { iterSize } = this.solver;
    if (iterSize === 1) return 'whole';
    if (this.#runs === 0) return 'first';
    return this.#runs === iterSize - 1 ? 'last' : 'middle';
  }

  /** What the next update's kernels are given: the rate and the solver's two factors. */
  pace(): Float32Array {
    return Float32Array.of(this.rate, ...this.solver.factors(this.#iteration));
  }

  /** Counts a run that has ended well. */
  advance(loss: number): Advance {
    this.#losses += loss;
    const mean = this.#losses / ++this.#runs;
    const updated = this.#runs === this.solver.iterSize;
    if (updated) {
      this.#steps = stepsAt(this.solver.rate, this.#iteration++, this.#steps);
      this.#begin();
    }
    return { loss: mean, updated };
  }

  /** @throws {UsageError} in the middle of an iteration */
  save(): Omit<SolverState, 'history' | 'runs'> {
    if (this.#runs > 0) {
      throw new UsageError(
        `${this.solver.name}: expected the end of an iteration to save its state, got run ${this.#runs} of ${this.solver.iterSize}`,
      );
    }
    const rate = this.#fixed === undefined ? {} : { rate: this.#fixed };
    return { iteration: this.#iteration, steps: this.#steps, ...rate };
  }

  /** Goes on from a saved state, at the beginning of an iteration. @throws {UsageError} before anything is changed */
  restore({ iteration, steps, rate }: Omit<SolverState, 'history'>): void {
    checkWhole('solver state', { iteration, steps }, 0);
    if (rate !== undefined) checkNumbers('solver state', { rate });
    [this.#iteration, this.#steps, this.#fixed] = [iteration, steps, rate];
    this.#begin();
  }

  #begin(): void {
    [this.#runs, this.#losses] = [0, 0];
  }
}
