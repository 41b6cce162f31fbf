import { rootOf, type DType, type Program, type Ref, type Step } from '../program.js';
import type { HalfSlots, Target } from './target.js';

/** What values and their gradients are stored as. float16 ends where gradients begin; bfloat16 has float32's range. */
const TYPES = {
  bfloat16: { value: 'bf16', gradient: 'bf16' },
  float16: { value: 'f16', gradient: 'bf16' },
} as const satisfies Readonly<Record<string, Readonly<Record<'value' | 'gradient', DType>>>>;

/**
 * Keeps values and their gradients in 16 bits on their way from kernel to kernel: half the bytes. Products begin it, the
 * kernels behind them go on with it. Parameters and their gradients, what the caller gives and what the caller reads stay
 * float32, and so does what other kernels read or make; conversions stand between.
 */
export function storeAsHalves(
  program: Program,
  precision: keyof typeof TYPES,
  halves: NonNullable<Target['halves']>,
): Program {
  const types = TYPES[precision];
  const store = new Store(program);
  const slotsOf = ({ kernel }: Step): HalfSlots | undefined => halves.get(kernel);
  // What nobody reads in 16 bits is not worth rounding.
  const welcome = new Set<number>();
  for (const step of program.steps)
    step.inputs.forEach((ref, at) => ref && takes(slotsOf(step)?.inputs, at) && welcome.add(store.root(ref)));
  const fixed = new Set([...program.results, ...program.guarded].map((ref) => store.root(ref)));
  const changes = program.steps.some((step) => step.commits);

  for (const step of program.steps) {
    const slots = slotsOf(step);
    const came = step.inputs.map((ref, at) => (ref && takes(slots?.inputs, at) ? store.typeOf(ref) : undefined));
    const arrived = came.find(isHalf);
    if (!slots || !(slots.product || arrived)) {
      store.step(
        step,
        step.inputs.map((ref) => ref && store.as(ref, step, 'f32')),
        step.outputs,
      );
      continue;
    }
    const type = slots.gradient ? types.gradient : slots.product ? types.value : arrived!;
    const weightToo = types.value === types.gradient && !changes && isHalf(came[0]);
    const inputs = step.inputs.map((ref, at) => {
      if (ref?.dtype !== 'f32') return ref;
      if (slots.product && takes(slots.inputs, at)) return store.as(ref, step, store.typeOf(ref));
      if (!takes(slots.inputs, at)) return store.as(ref, step, at === slots.weight && weightToo ? type : 'f32');
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
      if (ref && outputs[at] !== ref && store.typeOf(ref) === 'f32') store.convert(outputs[at]!, ref, step);
    });
  }
  return store.finish();
}

const isHalf = (type: DType | undefined): boolean => type === 'bf16' || type === 'f16';
const takes = (slots: HalfSlots['inputs'] | undefined, at: number): boolean => slots === 'all' || !!slots?.includes(at);

/** A program that is written anew: in which type each tensor is, and its copies in others. */
class Store {
  readonly #refs: Ref[];
  readonly #steps: Step[] = [];
  readonly #types = new Map<number, DType>();
  readonly #copies = new Map<string, Ref>();

  constructor(readonly program: Program) {
    this.#refs = program.refs.slice();
  }

  root(ref: Ref): number {
    return rootOf(this.program.views, ref.id);
  }

  typeOf(ref: Ref): DType {
    return this.#types.get(this.root(ref)) ?? ref.dtype;
  }

  /** The tensor is of that type from here on, and every view of it. */
  become(ref: Ref, type: DType): Ref {
    this.#types.set(this.root(ref), type);
    return this.#typed(ref);
  }

  /** The tensor in that type, for `step` to read; what is not a number stays what it is. */
  as(ref: Ref, step: Step, type: DType): Ref {
    if (ref.dtype !== 'f32') return ref;
    if (this.typeOf(ref) === type) return this.#typed(ref);
    const known = this.#copies.get(`${ref.id} ${type}`);
    if (known) return known;
    const copy = this.copy(ref, step, type);
    this.convert(this.#typed(ref), copy, step);
    return copy;
  }

  /** A place for the tensor in that type. */
  copy(ref: Ref, { label }: Step, type: DType): Ref {
    const copy: Ref = {
      ...ref,
      id: this.#refs.length,
      dtype: type,
      place: { kind: 'work' },
      label: `${label}.${type}`,
    };
    this.#refs.push(copy);
    this.#copies.set(`${ref.id} ${type}`, copy);
    return copy;
  }

  convert(from: Ref, to: Ref, { label }: Step): void {
    const step = { kernel: 'convert', label: `${label}.convert`, inputs: [from], outputs: [to] };
    this.#steps.push({ ...step, attributes: {}, inPlace: false });
  }

  step(step: Step, inputs: Step['inputs'], outputs: Step['outputs']): void {
    this.#steps.push({ ...step, inputs, outputs });
  }

  finish(): Program {
    return { ...this.program, refs: this.#refs.map((ref) => this.#typed(ref)), steps: this.#steps };
  }

  #typed(ref: Ref): Ref {
    const type = this.typeOf(ref);
    return type === ref.dtype ? ref : { ...ref, dtype: type };
  }
}
