import { GraphError, UsageError } from './errors.js';
import type { Value } from './graph.js';
import { resolve, type Attributes, type Emitter, type Op } from './op.js';
import type { NativeKernel, Phase, ProgramBuilder, Ref, Script, Step } from './program.js';
import { check, type Shape } from './shape.js';
import { located, type Sized, type SizedNode } from './sized.js';

/** Hidden inputs of a program: seed and run counter, and what changes from update to update. */
export const RANDOM = { kind: 'input', name: 'cortado.random' } as const;
export const PACE = { kind: 'input', name: 'cortado.pace' } as const;

/** Where the gradient that a caller gives for a value comes in. */
export const seedName = (value: Value): string => `d(${value.name})`;

/** Emits the forward steps of the nodes that the wanted values need, and remembers where each value is. */
export class Forward {
  readonly #refs = new Map<Value, Ref>();
  readonly #saved = new Map<SizedNode, readonly Ref[]>();
  readonly #done: SizedNode[] = [];

  constructor(
    readonly builder: ProgramBuilder,
    readonly sized: Sized,
    readonly phase: Phase,
  ) {}

  /** Nodes emitted, in order. */
  get nodes(): readonly SizedNode[] {
    return this.#done;
  }

  run(values: readonly Value[]): void {
    const needed = new Set<Value>();
    const visit = (value: Value): void => {
      if (needed.has(value)) return;
      needed.add(value);
      if (typeof value.source === 'object' && 'node' in value.source) value.source.node.inputs.forEach(visit);
    };
    values.forEach(visit);
    for (const node of this.sized.nodes) if (node.node.outputs.some((v) => needed.has(v))) this.#emit(node);
    values.forEach((value) => this.ref(value));
  }

  /** Where a value is. Inputs and parameters are made on first use. */
  ref(value: Value): Ref {
    const known = this.#refs.get(value);
    if (known) return known;
    if (typeof value.source === 'object' && 'node' in value.source)
      throw new GraphError(`graph: value "${value.name}" was not computed`);
    const place =
      value.source === 'input'
        ? ({ kind: 'input', name: value.name } as const)
        : ({ kind: 'state', key: value.name } as const);
    const ref = this.builder.named(place, this.sized.shapes.get(value)!, 'f32');
    this.#refs.set(value, ref);
    return ref;
  }

  /** All results of a node, saved ones included. */
  outputs(node: SizedNode): readonly Ref[] {
    return this.#saved.get(node)!;
  }

  #emit(sized: SizedNode): void {
    const { node, outputs } = sized;
    let visible = 0;
    const refs = outputs.map((spec) => {
      const ref = this.builder.work(
        spec.shape,
        spec.dtype ?? 'f32',
        spec.saved ? `${node.name}.saved` : node.outputs[visible]!.name,
      );
      if (!spec.saved) this.#refs.set(node.outputs[visible++]!, ref);
      return ref;
    });
    this.#saved.set(sized, refs);
    this.#done.push(sized);
    located(node.name, () => emitForward(node.op, siteOf(this, sized)));
  }
}

/** Where the steps of an op are written down. */
export interface Site {
  readonly builder: ProgramBuilder;
  readonly phase: Phase;
  readonly op: string;
  /** Of the layer, for errors and timings. */
  readonly name: string;
  /** Of the node in its graph. */
  readonly index: number;
  readonly attributes: Attributes;
  readonly inputs: readonly Ref[];
  readonly outputs: readonly Ref[];
}

/** Where the steps of a node are. */
export function siteOf(forward: Forward, sized: SizedNode): Site {
  const { name, op, index, inputs } = sized.node;
  return {
    ...{ builder: forward.builder, phase: forward.phase, op: op.name, name, index, attributes: sized.attributes },
    inputs: inputs.map((v) => forward.ref(v)),
    outputs: forward.outputs(sized),
  };
}

/** What an op's rules see while their steps are written down. */
export class StepEmitter implements Emitter {
  readonly attributes: Attributes;
  readonly phase: Phase;
  readonly inputs: readonly Ref[];
  readonly outputs: readonly Ref[];
  readonly index: number;
  readonly #site: Site;

  constructor(
    site: Site,
    /** What steps of one's own are called behind the layer's name. */
    readonly pass = '',
  ) {
    this.#site = site;
    ({ attributes: this.attributes, phase: this.phase, index: this.index } = site);
    ({ inputs: this.inputs, outputs: this.outputs } = site);
  }

  random(): Ref {
    return this.#site.builder.named(RANDOM, [4], 'i32');
  }

  run(
    kernel: string,
    inputs: readonly (Ref | undefined)[],
    outputs: readonly (Ref | undefined)[],
    attributes: Attributes = this.attributes,
    inPlace = false,
  ): void {
    const { name, op, builder } = this.#site;
    const label =
      kernel === op ? name : `${name}.${kernel.startsWith(`${op}_`) ? kernel.slice(op.length + 1) : kernel}`;
    builder.step({ kernel, label, inputs, outputs, attributes, inPlace });
  }

  compute(script: Script, inputs: readonly Ref[], outputs: readonly Ref[]): void {
    this.#own({ kernel: 'script', inputs, outputs, attributes: {}, script });
  }

  native(
    kernel: NativeKernel,
    inputs: readonly (Ref | undefined)[],
    outputs: readonly (Ref | undefined)[],
    attributes: Attributes = this.attributes,
  ): void {
    // Callers in JavaScript may hand in what their addon does not have.
    if (typeof kernel !== 'object' || kernel === null)
      throw new UsageError(`${this.#site.name}: expected a kernel that an addon exports, got ${String(kernel)}`);
    this.#own({ kernel: 'native', inputs, outputs, attributes, native: kernel });
  }

  /** A step that is not Cortado's, and is called after the layer alone. */
  #own(step: Omit<Step, 'label' | 'inPlace'>): void {
    const other = [...step.inputs, ...step.outputs].find((ref) => ref && ref.dtype !== 'f32');
    check(!other, () => `expected float32 tensors for a step of one's own, got ${other!.dtype}`);
    this.#site.builder.step({ ...step, label: `${this.#site.name}${this.pass}`, inPlace: false });
  }

  apply<O extends object, B extends Attributes>(
    op: Op<O, B>,
    inputs: readonly Ref[],
    options: Partial<O> = {},
  ): readonly Ref[] {
    const shapes = inputs.map(({ shape }) => shape);
    const { options: settings, arity } = resolve(op, shapes, options);
    const attributes = op.attributes(settings, shapes.slice(0, arity));
    const outputs = op.outputs(shapes, attributes).map(({ shape, dtype }) => this.temp(shape, dtype));
    const name = `${this.#site.name}.${op.name}`;
    emitForward(op, { ...this.#site, op: op.name, name, attributes, inputs, outputs });
    return outputs;
  }

  temp(shape: Shape, dtype: Ref['dtype'] = 'f32'): Ref {
    return this.#site.builder.work(shape, dtype, `${this.#site.name}.temp`);
  }

  view(of: Ref, shape: Shape): Ref {
    return this.#site.builder.view(of, shape, this.#site.name);
  }

  alias(index: number, of: Ref): void {
    this.#site.builder.alias(this.outputs[index]!, of);
  }
}

/** The op's own steps, or one call of the kernel that has its name. */
function emitForward(op: Op, site: Site): void {
  const emitter = new StepEmitter(site);
  if (op.forward) op.forward(emitter);
  else emitter.run(op.name, emitter.inputs, emitter.outputs);
}
