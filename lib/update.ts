import { PACE } from './forward.js';
import type { Value } from './graph.js';
import type { ProgramBuilder, Ref } from './program.js';
import type { Solver } from './solvers/solver.js';
import type { Part } from './solvers/training.js';

/** The end of a training step: adds the gradients up, and at an iteration's last run updates the parameters. */
export interface Update {
  readonly solver: Solver;
  readonly part: Part;
}

/** Where the solver's history of a parameter is kept. */
export const slotKey = (value: Value, slot: number): string => `${value.name}#${slot}`;

/** Where gradients are added up over the runs of an iteration. */
export const sumKey = (value: Value): string => `${value.name}#sum`;

/** Whether a solver changes the value: statistics and frozen parameters stay as they are. */
export function isLearned(value: Value): boolean {
  return (
    typeof value.source === 'object' &&
    'parameter' in value.source &&
    value.source.parameter.learned &&
    value.source.parameter.rate !== 0
  );
}

/** Writes down the update of every learned parameter, one pass over each. */
export function emitUpdate(builder: ProgramBuilder, update: Update, gradients: ReadonlyMap<Value, Ref>): void {
  const { solver, part } = update;
  const totals = part === 'whole' ? gradients : addUp(builder, part, gradients);
  if (part === 'first' || part === 'middle') return;
  const clip = solver.clip === undefined ? undefined : clipFactor(builder, solver.clip, totals);
  for (const [value, gradient] of totals) updateParameter(builder, solver, value, gradient, clip);
}

function addUp(builder: ProgramBuilder, part: Part, gradients: ReadonlyMap<Value, Ref>): ReadonlyMap<Value, Ref> {
  const totals = new Map<Value, Ref>();
  for (const [value, gradient] of gradients) {
    const sum = state(builder, sumKey(value), value);
    const inputs = part === 'first' ? [gradient] : [sum, gradient];
    builder.step({
      kernel: 'sum',
      label: `${value.name}.sum`,
      inputs,
      outputs: [sum],
      attributes: { coefficients: inputs.map(() => 1) },
      inPlace: false,
      commits: true,
    });
    totals.set(value, sum);
  }
  return totals;
}

/** The factor that brings the norm of all gradients together down to `most`; their squares are added up in order. */
function clipFactor(builder: ProgramBuilder, most: number, gradients: ReadonlyMap<Value, Ref>): Ref {
  let squares: Ref | undefined;
  for (const [value, gradient] of gradients) {
    const sum = builder.work([2], 'f32', `${value.name}.norm`);
    const [kernel, label] = ['squared_norm', `${value.name}.norm`];
    builder.step({ kernel, label, inputs: [gradient, squares], outputs: [sum], attributes: {}, inPlace: false });
    squares = sum;
  }
  const factor = builder.work([1], 'f32', 'clip');
  const step = { kernel: 'clip_factor', label: 'clip', inputs: [squares], outputs: [factor] };
  builder.step({ ...step, attributes: { most }, inPlace: false });
  return factor;
}

function updateParameter(
  builder: ProgramBuilder,
  solver: Solver,
  value: Value,
  gradient: Ref,
  clip: Ref | undefined,
): void {
  if (typeof value.source !== 'object' || !('parameter' in value.source)) return;
  const parameter = state(builder, value.name, value);
  const slots = Array.from({ length: solver.slots }, (_, i) => state(builder, slotKey(value, i), value));
  builder.step({
    kernel: solver.name,
    label: `${value.name}.update`,
    inputs: [gradient, builder.named(PACE, [3], 'f32'), clip, parameter, ...slots],
    outputs: [parameter, ...slots],
    attributes: solver.attributes(value.source.parameter),
    inPlace: false,
    commits: true,
  });
}

function state(builder: ProgramBuilder, key: string, { shape }: Value): Ref {
  return builder.named({ kind: 'state', key }, shape, 'f32');
}
