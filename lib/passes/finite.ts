import { rootOf, type Check, type DType, type Program, type Ref, type Step } from '../program.js';
import { count } from '../shape.js';
import type { Target } from './target.js';

/**
 * Looks for NaN and infinity in tensors as soon as they are there: in those that guard a commit, or with `all` in every
 * input and result, so that the first layer that has some can be named. Guards need to have been looked at by the commit
 * alone: where looks together cost less, they wait for each other there.
 */
export function checkFinite(program: Program, all: boolean, target: Target): Program {
  const refs = program.refs.slice();
  const checks: Check[] = [];
  const steps: Step[] = [];
  const look = (ref: Ref, label: string, maker?: Step): void => {
    const flag: Ref = { id: refs.length, shape: [1], dtype: 'i32', place: { kind: 'work' }, label: `${label}.finite` };
    refs.push(flag);
    checks.push({ flag, label, at: steps.length });
    const product = target.kernels.has('non_finite_product') && productOf(ref, maker);
    const step: Step = product
      ? { ...product, label: flag.label, outputs: [flag], inPlace: false }
      : { kernel: 'non_finite', label: flag.label, inputs: [ref], outputs: [flag], attributes: {}, inPlace: false };
    steps.push(step);
  };
  const guarded = new Set(program.guarded.map(({ id }) => rootOf(program.views, id)));
  const types: readonly DType[] = target.halves ? ['f32', 'bf16', 'f16'] : ['f32'];
  const wanted = (ref: Ref): boolean =>
    types.includes(ref.dtype) && (all || guarded.has(rootOf(program.views, ref.id)));
  const read = new Set(program.steps.flatMap((step) => step.inputs));
  for (const ref of program.refs) {
    if (all && ref.place.kind === 'input' && read.has(ref) && wanted(ref)) look(ref, `input ${ref.label}`);
  }
  const commit = !all && target.together?.has('non_finite') ? program.steps.findIndex((step) => step.commits) : -1;
  const waiting: [Ref, Step][] = [];
  program.steps.forEach((step, at) => {
    if (at === commit) for (const [ref, maker] of waiting) look(ref, maker.label, maker);
    steps.push(step);
    for (const ref of step.outputs) {
      if (!ref || !wanted(ref)) continue;
      if (at < commit) waiting.push([ref, step]);
      else look(ref, step.label, step);
    }
  });
  return { ...program, refs, steps, checks, results: [...program.results, ...checks.map((c) => c.flag)] };
}

/**
 * The look at a tensor that is a product: small factors cannot make infinity, which spares one at the large gradients of
 * dense weights. Undefined for others.
 */
function productOf(ref: Ref, maker: Step | undefined): Pick<Step, 'kernel' | 'inputs' | 'attributes'> | undefined {
  const dense = maker?.kernel === 'dense_wgrad' || maker?.kernel === 'dense_bf16_wgrad';
  if (!dense || ref !== maker.outputs[0]) return undefined;
  const [x, dy] = maker.inputs;
  const terms = count(dy!.shape) / ref.shape[maker.attributes.transpose ? 1 : 0]!;
  return { kernel: 'non_finite_product', inputs: [ref, x, dy], attributes: { terms } };
}
