import { fromTensor, type RawTensor } from '../../formats/elements.js';
import type { Node, Value } from '../../graph.js';
import type { Attributes, Op } from '../../op.js';
import { create } from '../../protobuf/schema.js';
import { count, type Shape } from '../../shape.js';
import type { Tensor, TensorData } from '../../tensor.js';
import { NodeProto, type OnnxAttribute, type OnnxNode } from '../schema.js';

/** What a graph becomes, node by node. */
export interface Target {
  readonly nodes: OnnxNode[];
  readonly initializers: Map<string, RawTensor>;
  /** The name of a value that has been made. */
  nameOf(value: Value): string;
  /** A name that nothing else has. */
  fresh(wish: string): string;
  weightOf(value: Value): Tensor<TensorData>;
}

/** One node being written: what a writer works with. */
export class WriteSite {
  constructor(
    readonly node: Node,
    private readonly target: Target,
    private readonly outputs: readonly string[],
  ) {}

  /** The name of an input that is computed. */
  in(index: number): string {
    return this.target.nameOf(this.node.inputs[index]!);
  }

  get x(): string {
    return this.in(0);
  }

  shape(index: number): Shape {
    return this.node.inputs[index]!.shape;
  }

  get arity(): number {
    return this.node.arity;
  }

  has(index: number): boolean {
    return this.node.inputs[index] !== undefined;
  }

  /** The numbers of an input that is a parameter. */
  numbers(index: number): TensorData {
    return this.target.weightOf(this.node.inputs[index]!).data;
  }

  /** A parameter as an initializer under its own name, in another shape where the format wants one. */
  param(index: number, shape?: Shape): string {
    const value = this.node.inputs[index]!;
    const { data } = this.target.weightOf(value);
    const as = shape ?? value.shape;
    const name = as.length === value.shape.length ? value.name : `${value.name}#${as.length}`;
    if (!this.target.initializers.has(name)) this.target.initializers.set(name, asFloat32(data, as));
    return name;
  }

  /** Numbers of ours as an initializer. */
  floats(values: readonly number[] | Float32Array, shape: Shape = []): string {
    return this.#initializer(asFloat32(Float32Array.from(values), shape), 'value');
  }

  wholes(values: readonly number[]): string {
    const bytes = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    return this.#initializer({ dtype: 'int64', shape: [values.length], bytes }, 'extents');
  }

  #initializer(raw: RawTensor, what: string): string {
    const name = this.target.fresh(`${this.node.name}.${what}`);
    this.target.initializers.set(name, raw);
    return name;
  }

  /** A step on the way to the node's result. */
  step(type: string, inputs: readonly string[], attributes: readonly OnnxAttribute[] = []): string {
    const output = this.target.fresh(`${this.node.name}.${type.toLowerCase()}`);
    this.#emit(type, inputs, [output], attributes, output);
    return output;
  }

  /** The node's result: its outputs take the names of its values. */
  last(type: string, inputs: readonly string[], attributes: readonly OnnxAttribute[] = []): readonly string[] {
    this.#emit(type, inputs, this.outputs, attributes, this.node.name);
    return this.outputs;
  }

  #emit(
    op_type: string,
    input: readonly string[],
    output: readonly string[],
    attribute: readonly OnnxAttribute[],
    name: string,
  ): void {
    this.target.nodes.push(
      create(NodeProto, { op_type, input: [...input], output: [...output], attribute: [...attribute], name }),
    );
  }
}

function asFloat32(data: TensorData, shape: Shape): RawTensor {
  if (count(shape) !== data.length) throw new Error(`expected ${count(shape)} numbers, got ${data.length}`);
  return fromTensor({ data: data instanceof Float32Array ? data : Float32Array.from(data), shape });
}

/** Says in ONNX's words what a node does; gives the names of its results. */
export type OnnxWriter = (site: WriteSite, node: Node) => readonly string[];

/** The writer of an op, told the op's options and attributes by their types. */
export function writer<O extends object, A extends Attributes>(
  op: Op<O, A>,
  write: (site: WriteSite, attributes: A, options: O) => readonly string[],
): readonly [string, OnnxWriter] {
  return [
    op.name,
    (site, node) => {
      const options = node.options as O;
      const shapes = node.inputs.slice(0, node.arity).map((value) => value.shape);
      return write(site, op.attributes(options, shapes), options);
    },
  ];
}
