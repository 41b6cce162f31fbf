import { rootOf, type Program, type Ref } from '../program.js';

/** Drops outputs that nobody reads, and steps that are left without any. Steps that write state always stay. */
export function prune(program: Program): Program {
  const root = (ref: Ref): number => rootOf(program.views, ref.id);
  const read = new Set(program.results.map(root));
  const kept = [];
  for (let i = program.steps.length - 1; i >= 0; i--) {
    const step = program.steps[i]!;
    const outputs = step.outputs.map((ref) =>
      ref && (ref.place.kind === 'state' || read.has(root(ref))) ? ref : undefined,
    );
    if (outputs.every((ref) => ref === undefined)) continue;
    for (const ref of step.inputs) if (ref) read.add(root(ref));
    kept.push({ ...step, outputs });
  }
  return { ...program, steps: kept.reverse() };
}
