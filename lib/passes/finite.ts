import type { Check, Program, Ref, Step } from '../program.js';

/** Looks at every input and result as soon as it is there, so that the first layer with NaN or infinity can be named. */
export function checkFinite(program: Program): Program {
  const refs = program.refs.slice();
  const checks: Check[] = [];
  const look = (ref: Ref, label: string): Step => {
    const flag: Ref = { id: refs.length, shape: [1], dtype: 'i32', place: { kind: 'work' }, label: `${label}.finite` };
    refs.push(flag);
    checks.push({ flag, label });
    return { kernel: 'non_finite', label: flag.label, inputs: [ref], outputs: [flag], attributes: {}, inPlace: false };
  };
  const read = new Set(program.steps.flatMap((step) => step.inputs));
  const inputs = program.refs.filter((ref) => ref.place.kind === 'input' && ref.dtype === 'f32' && read.has(ref));
  const steps = inputs.map((ref) => look(ref, `input ${ref.label}`));
  for (const step of program.steps) {
    steps.push(step);
    for (const ref of step.outputs) if (ref?.dtype === 'f32') steps.push(look(ref, step.label));
  }
  return { ...program, refs, steps, checks, results: [...program.results, ...checks.map((c) => c.flag)] };
}
