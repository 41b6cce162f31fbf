import { rootOf, type Program, type Ref, type Step } from '../program.js';
import type { Updates } from './target.js';

/**
 * Takes out of every run what only the parameters decide, such as filters in the order that a kernel wants: it is computed
 * when they have changed, and kept. A training step changes them every time. There, what is kept of a parameter that it
 * changes is what the update writes too, while it has the new weights at hand: copies of them.
 */
export function keepPrepared(program: Program, updates?: Updates): Program {
  const refs = program.refs.slice();
  const root = (ref: Ref): Ref => refs[rootOf(program.views, ref.id)]!;
  const results = new Set(program.results.map(({ id }) => rootOf(program.views, id)));
  const writers = writersOf(program);
  const copies = new Map<Step, Step[]>();
  const lasts = (ref: Ref | undefined): boolean =>
    !ref || (['state', 'kept'].includes(root(ref).place.kind) && !writers.has(root(ref).id));
  /** The step that can write the copy that `step` makes of a parameter. */
  const updateBy = ({ kernel, inputs: [from], outputs: [to] }: Step): Step | undefined => {
    const [update, ...others] = (from && writers.get(root(from).id)) ?? [];
    if (!update || others.length > 0 || !updates?.kernels.has(update.kernel)) return undefined;
    if (
      (kernel !== 'convert' && kernel !== 'space_to_depth') ||
      update.outputs[0]?.id !== from!.id ||
      to!.dtype === 'f32'
    )
      return undefined;
    return (copies.get(update)?.length ?? 0) < updates.copies ? update : undefined;
  };
  const prologue: Step[] = [];
  const steps = program.steps.filter((step) => {
    const isResult = step.outputs.some((ref) => ref && results.has(root(ref).id));
    if (step.commits || step.inputs.length === 0 || isResult) return true;
    if (!step.inputs.every(lasts)) {
      const update = updateBy(step);
      if (!update) return true;
      copies.set(update, [...(copies.get(update) ?? []), step]);
      writers.set(root(step.outputs[0]!).id, [update]);
    }
    for (const ref of step.outputs) if (ref) refs[root(ref).id] = { ...root(ref), place: { kind: 'kept' } };
    prologue.push(step);
    return false;
  });
  return {
    ...program,
    refs,
    steps: steps.map((step) => withCopies(step, copies.get(step) ?? [])),
    prologue: [...program.prologue, ...prologue],
  };
}

/** An update that also writes what other steps make of its parameter. */
function withCopies(update: Step, copies: readonly Step[]): Step {
  if (copies.length === 0) return update;
  const blocks = copies.flatMap(({ attributes: { blockH = 1, blockW = 1 } }) => [blockH as number, blockW as number]);
  return {
    ...update,
    outputs: [...update.outputs, ...copies.map((step) => step.outputs[0])],
    attributes: { ...update.attributes, blocks },
  };
}

/** The steps that write each tensor of the state, by its id. */
function writersOf({ steps, views }: Program): Map<number, Step[]> {
  const writers = new Map<number, Step[]>();
  for (const step of steps) {
    for (const ref of step.outputs) {
      if (ref?.place.kind !== 'state') continue;
      const id = rootOf(views, ref.id);
      writers.set(id, [...(writers.get(id) ?? []), step]);
    }
  }
  return writers;
}
