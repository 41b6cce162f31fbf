import type { TrainStep } from '../../train/index.js';

/** What is known of a training before its first step. */
export interface Beginning {
  readonly net: string;
  readonly parameters: number;
  /** Pictures to learn from. */
  readonly images: number;
  /** Pictures of an iteration. */
  readonly batch: number;
  /** At which the training begins, or goes on. */
  readonly iteration: number;
  /** At which it ends. */
  readonly iterations: number;
  readonly device: string;
  readonly threads: number;
}

export type Outcome = 'done' | 'early' | 'interrupted';

/** How a training ended. */
export interface Ending {
  readonly outcome: Outcome;
  readonly iteration: number;
  readonly seconds: number;
  readonly averageLoss: number | undefined;
  /** Of the last evaluation. */
  readonly test: Readonly<Record<string, number>> | undefined;
  /** Files that hold what was learned. */
  readonly files: readonly string[];
}

/** Someone who is told how a training goes. */
export interface View {
  begin(beginning: Beginning): void;
  step(step: TrainStep): void;
  /** A remark that stays to be read. */
  say(text: string): void;
  /** What it returns, if anything, ends when all that it was told is written. */
  end(ending?: Ending): void | Promise<void>;
}

/** Tells several views. */
export function all(views: readonly View[]): View {
  return {
    begin: (beginning) => views.forEach((view) => view.begin(beginning)),
    step: (step) => views.forEach((view) => view.step(step)),
    say: (text) => views.forEach((view) => view.say(text)),
    end: async (ending) => {
      await Promise.all(views.map(async (view) => view.end(ending)));
    },
  };
}

/** Whether an iteration is one of those that are shown: every `every`-th; 0: none. */
export function isShown(iteration: number, every: number): boolean {
  return every > 0 && iteration % every === 0;
}
