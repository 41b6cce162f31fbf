import { rootOf, type Program, type Ref, type Step } from '../program.js';

/**
 * Takes out of every run what only the parameters decide, such as filters in the order that a kernel wants: it is computed
 * when they have changed, and kept. A training step changes them every time, so there nothing is.
 */
export function keepPrepared(program: Program): Program {
  if (program.steps.some((step) => step.commits)) return program;
  const refs = program.refs.slice();
  const root = (ref: Ref): Ref => refs[rootOf(program.views, ref.id)]!;
  const lasting = (ref: Ref | undefined): boolean => !ref || ['state', 'kept'].includes(root(ref).place.kind);
  const results = new Set(program.results.map(root));
  const prologue: Step[] = [];
  const steps = program.steps.filter((step) => {
    const prepares = step.inputs.length > 0 && step.inputs.every(lasting);
    if (!prepares || step.outputs.some((ref) => ref && results.has(root(ref)))) return true;
    for (const ref of step.outputs) if (ref) refs[root(ref).id] = { ...root(ref), place: { kind: 'kept' } };
    prologue.push(step);
    return false;
  });
  return { ...program, refs, steps, prologue: [...program.prologue, ...prologue] };
}
