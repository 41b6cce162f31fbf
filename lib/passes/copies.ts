import { rootOf, type Program, type Ref, type Step } from '../program.js';

/** How tensors can be stored: `of` says how one is, `as` makes it so. */
export interface Forms<F extends string> {
  of(ref: Ref): F;
  as(ref: Ref, form: F): Ref;
}

/** A program that is written anew: in which form each tensor is stored, and its copies in others, which `convert` makes. */
export class Copies<F extends string> {
  readonly #refs: Ref[];
  readonly #steps: Step[] = [];
  readonly #forms = new Map<number, F>();
  readonly #copies = new Map<string, Ref>();

  constructor(
    readonly program: Program,
    readonly forms: Forms<F>,
  ) {
    this.#refs = program.refs.slice();
  }

  root(ref: Ref): number {
    return rootOf(this.program.views, ref.id);
  }

  formOf(ref: Ref): F {
    return this.#forms.get(this.root(ref)) ?? this.forms.of(ref);
  }

  /** The tensor as it is stored by now. */
  now(ref: Ref): Ref {
    const form = this.formOf(ref);
    return form === this.forms.of(ref) ? ref : this.forms.as(ref, form);
  }

  /** The tensor is of that form from here on, and every view of it. */
  become(ref: Ref, form: F): Ref {
    this.#forms.set(this.root(ref), form);
    return this.now(ref);
  }

  /** The tensor in that form, for `step` to read. */
  as(ref: Ref, step: Step, form: F): Ref {
    if (this.formOf(ref) === form) return this.now(ref);
    const known = this.#copies.get(`${ref.id} ${form}`);
    if (known) return known;
    const copy = this.copy(ref, step, form);
    this.convert(this.now(ref), copy, step);
    return copy;
  }

  /** A place for the tensor in that form. */
  copy(ref: Ref, { label }: Step, form: F): Ref {
    const place = { kind: 'work' } as const;
    const copy = this.forms.as({ ...ref, id: this.#refs.length, place, label: `${label}.${form}` }, form);
    this.#refs.push(copy);
    this.#copies.set(`${ref.id} ${form}`, copy);
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
    return { ...this.program, refs: this.#refs.map((ref) => this.now(ref)), steps: this.#steps };
  }
}
