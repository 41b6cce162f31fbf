import { FormatError, GraphError } from '../../errors.js';
import { Value, type GraphBuilder, type LayerOptions, type ParameterOptions } from '../../graph.js';
import type { Attributes, Op } from '../../op.js';
import { count, same, type Shape } from '../../shape.js';
import type { OnnxAttribute, OnnxNode } from '../schema.js';
import { rawOf } from '../tensor.js';
import { Constant, Extents, type Item, type Weight } from './items.js';
import type { Names } from './names.js';

/** Turns one node of the file into nodes of the graph; gives its outputs. */
export type Reader = (site: Site) => readonly Item[];

/** Parameters of the graph that take their numbers from the file, by name. */
export type WeightPlan = Map<string, Weight>;

/** One node being built: what a reader works with. */
export class Site {
  readonly #attributes: ReadonlyMap<string, OnnxAttribute>;

  constructor(
    readonly node: OnnxNode,
    /** In the order of the node's inputs; undefined where one is left out. */
    readonly inputs: readonly (Item | undefined)[],
    readonly opset: number,
    readonly builder: GraphBuilder,
    private readonly names: Names,
    private readonly weights: WeightPlan,
  ) {
    this.#attributes = new Map(node.attribute.map((attribute) => [attribute.name ?? '', attribute]));
  }

  error(message: string): GraphError {
    return new GraphError(message);
  }

  /** Images and what becomes of them; a constant becomes a parameter of its own. */
  value(index: number): Value {
    const item = this.inputs[index];
    if (item instanceof Value) return item;
    if (item instanceof Constant)
      throw this.error(`expected input ${index} to be computed, got the constant "${item.name}"`);
    throw this.error(`expected input ${index} to be computed, got ${item ? 'a shape' : 'none'}`);
  }

  get x(): Value {
    return this.value(0);
  }

  has(index: number): boolean {
    return this.inputs[index] !== undefined;
  }

  constant(index: number): Constant {
    const item = this.inputs[index];
    if (item instanceof Constant) return item;
    throw this.error(`expected input ${index} to be a constant, got ${item ? 'a computed one' : 'none'}`);
  }

  /** Numbers of a constant input. */
  numbers(index: number): number[] {
    const item = this.inputs[index];
    if (!(item instanceof Extents)) return this.constant(index).numbers();
    return item.items.map(({ fixed, batches }) => {
      if (batches !== 0) throw this.error(`expected input ${index} not to depend on the batch`);
      return fixed;
    });
  }

  /** A setting that older versions have as an attribute and newer ones as an input. */
  setting(name: string, index: number): number[] | undefined {
    if (this.#attributes.has(name)) return this.ints(name) ?? [this.float(name, 0)];
    return this.has(index) ? this.numbers(index) : undefined;
  }

  int(name: string, otherwise: number): number {
    return this.#attributes.get(name)?.i ?? otherwise;
  }

  float(name: string, otherwise: number): number {
    return this.#attributes.get(name)?.f ?? otherwise;
  }

  ints(name: string): number[] | undefined {
    const list = this.#attributes.get(name)?.ints;
    return list && list.length > 0 ? list : undefined;
  }

  floats(name: string): number[] | undefined {
    return this.#attributes.get(name)?.floats;
  }

  text(name: string, otherwise: string): string {
    const bytes = this.#attributes.get(name)?.s;
    return bytes ? Buffer.from(bytes).toString() : otherwise;
  }

  /** A tensor among the attributes. */
  tensor(name: string): Constant | undefined {
    const tensor = this.#attributes.get(name)?.t;
    if (!tensor) return undefined;
    if (tensor.data_location === 1) throw new FormatError(`expected the elements of ${name} within the file`);
    return Constant.of(this.node.output[0] ?? '', rawOf(tensor, name));
  }

  /** An axis counted from the front. */
  axis(value: number, rank: number): number {
    const axis = value < 0 ? value + rank : value;
    if (axis < 0 || axis >= rank) throw this.error(`expected an axis of ${rank}, got ${value}`);
    return axis;
  }

  /**
   * Adds a node. `weights` are the op's parameters in the file; a node with a weight called `conv1.weight` there is called
   * `conv1`.
   */
  add<O extends object, A extends Attributes>(
    op: Op<O, A>,
    inputs: readonly Value[],
    options: O,
    weights: Readonly<Record<string, Weight>> = {},
    suffix = '',
  ): Value {
    const owner = Object.values(weights)
      .map(({ from }) => /^(.+)\.(?:weight|bias)$/.exec(from.name)?.[1])
      .find((name) => name !== undefined);
    const { name, op_type, output } = this.node;
    const own = this.names.claim([owner, name, output[0], op_type].find((each) => each)! + suffix);
    const params = Object.fromEntries(Object.entries(weights).map(([key, weight]) => [key, this.#parameter(weight)]));
    const all: O & LayerOptions = { ...options, name: own, params };
    const [made] = this.builder.add(op, inputs, all);
    const node = this.builder.nodes.at(-1)!;
    for (const value of node.inputs.slice(node.arity)) {
      const weight = weights[value.name.slice(own.length + 1)];
      if (weight) this.#plan(value, weight);
    }
    return made!;
  }

  /** A weight that the file gives, in the shape that the graph wants. */
  weight(from: Constant, shape: Shape = from.shape, map?: (value: number) => number): Weight {
    if (count(from.shape) !== count(shape))
      throw this.error(`expected "${from.name}" of shape (${shape.join(', ')}), got (${from.shape.join(', ')})`);
    return { from, shape, map };
  }

  /** What two nodes read as it is, they share. */
  #parameter({ from, shape, map }: Weight): ParameterOptions {
    for (const [name, planned] of this.weights) {
      if (planned.from !== from || planned.map !== map || !same(planned.shape, shape)) continue;
      const share = this.builder.values.find((value) => value.name === name);
      if (share) return { share };
    }
    return {};
  }

  #plan(value: Value, weight: Weight): void {
    if (count(value.shape) !== count(weight.shape))
      throw this.error(
        `expected "${weight.from.name}" of shape (${value.shape.join(', ')}), got (${weight.from.shape.join(', ')})`,
      );
    if (!this.weights.has(value.name)) this.weights.set(value.name, { ...weight, shape: value.shape });
  }
}
