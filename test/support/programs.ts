import { sgd, type Graph } from '../../lib/index.js';
import { lower, type Goal } from '../../lib/lower.js';
import { GPU, optimize, type Precision, type Target } from '../../lib/passes/index.js';
import type { Program, Step } from '../../lib/program.js';

/** A training step by SGD with a limit to gradients, of which the loss is read. */
export function training(of: Graph, batch: number): Goal {
  return {
    batch,
    phase: 'train',
    fetch: [of.value('loss')],
    gradients: [],
    seeds: [],
    update: { solver: sgd({ rate: 1, clip: 1 }), part: 'whole' },
  };
}

/** What a GPU is to run for that goal, after all passes. */
export function programOf(of: Graph, goal: Goal, precision: Precision, target: Target = GPU): Program {
  return optimize(lower(of, goal).program, { passes: 'all', precision, target });
}

/** The first step of that label. */
export function stepOf({ steps }: Program, label: string): Step {
  return steps.find((step) => step.label === label)!;
}
