import type { Program, Ref, Step } from '../program.js';

/** Lets a convolution take its filters as its kernel wants them from a step of its own, which keepPrepared() can take out. */
export function packFilters(program: Program): Program {
  if (program.steps.some((step) => step.commits)) return program;
  const refs = program.refs.slice();
  const steps = program.steps.flatMap((step): Step[] => {
    const [x, weight, bias] = step.inputs;
    if (step.kernel !== 'conv2d' || !weight) return [step];
    const [filters, channels, kernelH, kernelW] = weight.shape as [number, number, number, number];
    const groups = step.attributes.groups as number;
    // Rows are whole vectors, of 16 at most.
    const size = groups * Math.ceil(filters / groups / 16) * 16 * channels * kernelH * kernelW;
    const label = `${step.label}.packed`;
    const packed: Ref = { id: refs.length, shape: [size], dtype: 'f32', place: { kind: 'work' }, label };
    refs.push(packed);
    const pack = { kernel: 'conv2d_filters', inputs: [weight], outputs: [packed], attributes: { groups } };
    return [
      { ...pack, label: step.label, inPlace: false },
      {
        ...step,
        kernel: 'conv2d_packed',
        inputs: [x, packed, bias],
        attributes: { ...step.attributes, kernelH, kernelW },
      },
    ];
  });
  return { ...program, refs, steps };
}
