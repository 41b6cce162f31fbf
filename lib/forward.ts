import { GraphError } from './errors.js';
import type { Value } from './graph.js';
import type { Attributes, Emitter } from './op.js';
import type { Phase, ProgramBuilder, Ref } from './program.js';
import type { Shape } from './shape.js';
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
    const emitter = new StepEmitter(this, sized);
    located(node.name, () => {
      if (node.op.forward) node.op.forward(emitter);
      else emitter.run(node.op.name, emitter.inputs, emitter.outputs);
    });
  }
}

/** What an op's rules see while their steps are written down. */
export class StepEmitter implements Emitter {
  readonly attributes: Attributes;
  readonly phase: Phase;
  readonly inputs: readonly Ref[];
  readonly outputs: readonly Ref[];
  readonly index: number;
  readonly #builder: ProgramBuilder;
  readonly #sized: SizedNode;

  constructor(forward: Forward, sized: SizedNode) {
    this.#builder = forward.builder;
    this.#sized = sized;
    this.attributes = sized.attributes;
    this.phase = forward.phase;
    this.index = sized.node.index;
    this.inputs = sized.node.inputs.map((v) => forward.ref(v));
    this.outputs = forward.outputs(sized);
  }

  random(): Ref {
    return this.#builder.named(RANDOM, [4], 'i32');
  }

  run(
    kernel: string,
    inputs: readonly (Ref | undefined)[],
    outputs: readonly (Ref | undefined)[],
    attributes: Attributes = this.attributes,
    inPlace = false,
  ): void {
    const { name, op } = this.#sized.node;
    const label =
      kernel === op.name
        ? name
        : `${name}.${kernel.startsWith(`${op.name}_`) ? kernel.slice(op.name.length + 1) : kernel}`;
    this.#builder.step({ kernel, label, inputs, outputs, attributes, inPlace });
  }

  temp(shape: Shape, dtype: Ref['dtype'] = 'f32'): Ref {
    return this.#builder.work(shape, dtype, `${this.#sized.node.name}.temp`);
  }

  view(of: Ref, shape: Shape): Ref {
    return this.#builder.view(of, shape, this.#sized.node.name);
  }

  alias(index: number, of: Ref): void {
    this.#builder.alias(this.outputs[index]!, of);
  }
}
