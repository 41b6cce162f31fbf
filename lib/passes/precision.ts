import type { Program, Ref, Step } from '../program.js';
import { count } from '../shape.js';

/** What inner products and convolutions round their inputs to before they multiply, and how weights may be stored. */
export type Precision = 'float32' | 'tf32' | 'bfloat16' | 'float16';

/** Rows up to which a dense layer waits for its weight rather than for its arithmetic: native/cpu/gemm_few.h. */
const FEW_ROWS = 4;

/**
 * Lets dense layers with few rows read their weights as bfloat16: half the bytes, which is what they wait for. Products and
 * sums stay float32.
 */
export function storeWeightsAsBf16(program: Program): Program {
  if (program.steps.some((step) => step.commits)) return program;
  const refs = program.refs.slice();
  const steps = program.steps.flatMap((step): Step[] => {
    const [x, weight, bias] = step.inputs;
    if (step.kernel !== 'dense' || step.attributes.transpose !== 0 || !x || !weight) return [step];
    if (count(x.shape) / weight.shape[1]! > FEW_ROWS) return [step];
    const label = `${step.label}.bf16`;
    const half: Ref = { id: refs.length, shape: weight.shape, dtype: 'bf16', place: { kind: 'work' }, label };
    refs.push(half);
    const { transpose: _, ...attributes } = step.attributes;
    return [
      { kernel: 'to_bf16', label: step.label, inputs: [weight], outputs: [half], attributes: {}, inPlace: false },
      { ...step, kernel: 'dense_bf16', inputs: [x, half, bias], attributes },
    ];
  });
  return { ...program, refs, steps };
}
