import type { DType, Program, Ref, Step } from '../program.js';
import { Copies, type Forms } from './copies.js';
import type { HalfSlots, Target } from './target.js';

/** What values and their gradients are stored as. float16 ends where gradients begin; bfloat16 has float32's range. */
const TYPES = {
  bfloat16: { value: 'bf16', gradient: 'bf16' },
  float16: { value: 'f16', gradient: 'bf16' },
} as const satisfies Readonly<Record<string, Readonly<Record<'value' | 'gradient', DType>>>>;

const BY_TYPE: Forms<DType> = { of: ({ dtype }) => dtype, as: (ref, dtype) => ({ ...ref, dtype }) };

/**
 * Keeps values and their gradients in 16 bits on their way from kernel to kernel: half the bytes. Products begin it, and
 * the gradients of losses; the kernels behind them go on with it. Parameters and their gradients, what the caller gives and
 * what the caller reads stay float32, and so does what other kernels read or make; conversions stand between, also between a
 * weight and its products.
 */
export function storeAsHalves(
  program: Program,
  precision: keyof typeof TYPES,
  halves: NonNullable<Target['halves']>,
): Program {
  const types = TYPES[precision];
  const store = new Copies(program, BY_TYPE);
  // What is not a number stays what it is.
  const as = (ref: Ref, step: Step, type: DType): Ref => (ref.dtype === 'f32' ? store.as(ref, step, type) : ref);
  const slotsOf = ({ kernel }: Step): HalfSlots | undefined => halves.get(kernel);
  // What nobody reads in 16 bits is not worth rounding.
  const welcome = new Set<number>();
  for (const step of program.steps)
    step.inputs.forEach((ref, at) => ref && takes(slotsOf(step)?.inputs, at) && welcome.add(store.root(ref)));
  const fixed = new Set([...program.results, ...program.guarded].map((ref) => store.root(ref)));

  for (const step of program.steps) {
    const slots = slotsOf(step);
    const came = step.inputs.map((ref, at) => (ref && takes(slots?.inputs, at) ? store.formOf(ref) : undefined));
    const arrived = came.find(isHalf);
    if (!slots || !(slots.product || arrived)) {
      store.step(
        step,
        step.inputs.map((ref) => ref && as(ref, step, 'f32')),
        step.outputs,
      );
      continue;
    }
    const type = slots.gradient ? types.gradient : slots.product ? types.value : arrived!;
    const weight = isHalf(came[0]) && slots.weights?.includes(type) ? type : 'f32';
    const inputs = step.inputs.map((ref, at) => {
      if (ref?.dtype !== 'f32') return ref;
      if (slots.product && takes(slots.inputs, at)) return store.as(ref, step, store.formOf(ref));
      if (!takes(slots.inputs, at)) return store.as(ref, step, at === 1 ? weight : 'f32');
      return store.as(ref, step, slots.gradient && at > 0 ? types.value : type);
    });
    const outputs = step.outputs.map((ref, at) => {
      if (ref?.dtype !== 'f32' || !takes(slots.outputs, at)) return ref;
      const free = ref.place.kind === 'work' && !fixed.has(store.root(ref)) && welcome.has(store.root(ref));
      if (free) return store.become(ref, type);
      return slots.product ? ref : store.copy(ref, step, type);
    });
    store.step(step, inputs, outputs);
    step.outputs.forEach((ref, at) => {
      if (ref && outputs[at] !== ref && store.formOf(ref) === 'f32') store.convert(outputs[at]!, ref, step);
    });
  }
  return store.finish();
}

const isHalf = (type: DType | undefined): boolean => type === 'bf16' || type === 'f16';
const takes = (slots: HalfSlots['inputs'] | undefined, at: number): boolean => slots === 'all' || !!slots?.includes(at);
