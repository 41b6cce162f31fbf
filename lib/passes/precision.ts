import type { DType, Program, Ref, Step } from '../program.js';
import { count } from '../shape.js';

/** What inner products and convolutions round their inputs to before they multiply, and how weights may be stored. */
export type Precision = 'float32' | 'tf32' | 'bfloat16' | 'float16' | 'int8';
/** What the passes know to make of a program for the CPU. */
export const CPU_PRECISIONS = ['float32', 'bfloat16', 'int8'] as const satisfies readonly Precision[];

/** Rows up to which a dense layer waits for its weight rather than for its arithmetic: native/cpu/gemm_few.h. */
const FEW_ROWS = 4;

/**
 * Lets dense layers with few rows read their weights as numbers of 8 bits, a quarter of the bytes, which is what they wait
 * for: whole multiples of a step that each unit has of its own. Only where a run changes no parameters.
 */
export function storeAsInt8(program: Program): Program {
  if (program.steps.some((step) => step.commits)) return program;
  const refs = program.refs.slice();
  const steps = program.steps.flatMap((step): Step[] => {
    const [x, weight, bias] = step.inputs;
    if (step.kernel !== 'dense' || step.attributes.transpose !== 0) return [step];
    const [units, inputs] = weight!.shape as [number, number];
    if (count(x!.shape) / inputs > FEW_ROWS) return [step];
    const { transpose: _, ...attributes } = step.attributes;
    // Rows of whole vectors everywhere: native/cpu/dense_int8.h.
    const whole = newRef(step, refs, 'i8', [units, Math.ceil(inputs / 64) * 64]);
    const scale = newRef(step, refs, 'f32', [units]);
    return [
      { ...prepared(step, 'to_int8', [whole, scale]), attributes: {} },
      { ...step, kernel: 'dense_int8', inputs: [x, whole, scale, bias], attributes },
    ];
  });
  return { ...program, refs, steps };
}

/**
 * Rounds the factors of products to bfloat16, which a machine with instructions for it multiplies twice as fast; sums,
 * parameters and everything between the layers stay float32, and so do convolutions by Winograd's algorithm, which are
 * faster still. Where a run changes no parameters, the weights of dense layers are kept rounded, half the bytes: with few
 * rows, that is what they wait for.
 */
export function multiplyAsBf16(program: Program): Program {
  const refs = program.refs.slice();
  const changes = program.steps.some((step) => step.commits);
  const steps = program.steps.flatMap((step): Step[] => {
    if (step.kernel.startsWith('dense')) return denseAsBf16(step, refs, changes);
    return step.kernel.startsWith('conv2d') ? convolutionAsBf16(step, refs) : [step];
  });
  return { ...program, refs, steps };
}

function denseAsBf16(step: Step, refs: Ref[], changes: boolean): Step[] {
  const { transpose, ...attributes } = step.attributes;
  if (transpose !== 0) return [step];
  switch (step.kernel) {
    case 'dense': {
      const [x, weight, bias] = step.inputs;
      if (changes) return [{ ...step, kernel: 'dense_bf16', attributes }];
      const [units, inputs] = weight!.shape as [number, number];
      const half = newRef(step, refs, 'bf16', [units, Math.ceil(inputs / 2) * 2]);
      return [
        { ...prepared(step, 'to_bf16', [half]), attributes: {} },
        { ...step, kernel: 'dense_bf16', inputs: [x, half, bias], attributes },
      ];
    }
    case 'dense_dgrad':
      return [{ ...step, kernel: 'dense_bf16_dgrad' }];
    case 'dense_wgrad':
      return [step.outputs[0] ? { ...step, kernel: 'dense_bf16_wgrad' } : step];
    default:
      return [step];
  }
}

function convolutionAsBf16(step: Step, refs: Ref[]): Step[] {
  if (step.kernel === 'conv2d_wgrad') return [step.outputs[0] ? { ...step, kernel: 'conv2d_bf16_wgrad' } : step];
  const [x, weight, bias] = step.inputs;
  if (step.kernel !== 'conv2d' || !weight) return [step];
  const [filters, channels, kernelH, kernelW] = weight.shape as [number, number, number, number];
  const { groups, dilationW } = step.attributes as { readonly groups: number; readonly dilationW: number };
  // Pairs are of taps in a row or of channels, whichever are fewer: native/cpu/conv2d_bf16_taps.h. Rows of filters are
  // whole vectors, of 16 at most.
  const pairs = Math.min(
    Math.ceil(channels / 2) * kernelH * kernelW,
    dilationW === 1 ? channels * kernelH * Math.ceil(kernelW / 2) : Infinity,
  );
  const half = newRef(step, refs, 'bf16', [groups * Math.ceil(filters / groups / 16) * 16 * pairs, 2]);
  return [
    { ...prepared(step, 'conv2d_bf16_filters', [half]), attributes: { groups, dilationW } },
    {
      ...step,
      kernel: 'conv2d_bf16',
      inputs: [x, half, bias],
      attributes: { ...step.attributes, kernelH, kernelW },
    },
  ];
}

function newRef({ label }: Step, refs: Ref[], dtype: DType, shape: readonly number[]): Ref {
  const ref: Ref = { id: refs.length, shape, dtype, place: { kind: 'work' }, label: `${label}.${dtype}` };
  refs.push(ref);
  return ref;
}

/** The step that makes of `step`'s weight what its kernel reads. */
function prepared({ label, inputs }: Step, kernel: string, outputs: readonly Ref[]): Omit<Step, 'attributes'> {
  return { kernel, label, inputs: [inputs[1]], outputs, inPlace: false };
}
