import { toDot } from './dot.js';
import { GraphError, ShapeError, UsageError } from './errors.js';
import type { Filler } from './fillers.js';
import type { Attributes, Op, ParameterSpec } from './op.js';
import { checkShape, format, same, type Shape } from './shape.js';
import { located, sizeNode, type Sized } from './sized.js';
import { formatSummary, summarize } from './table.js';

/** What a caller may say of one parameter of a layer. */
export interface ParameterOptions {
  /** First values; default: the op's own. */
  readonly filler?: Filler;
  /** Factor on the solver's rate; 0 freezes. Default 1. */
  readonly rate?: number;
  /** Factor on the solver's weight decay. Default 1. */
  readonly decay?: number;
  /** Use this value (another layer's parameter, or any value of the right shape) instead of a new parameter. */
  readonly share?: Value;
}

/** What every layer function takes beside its own options. */
export interface LayerOptions {
  /** Unique name; default: the op's name and a number. */
  readonly name?: string;
  /** By the parameter's name: `{ weight: { filler: gaussian(0.01) }, bias: { rate: 2, decay: 0 } }`. */
  readonly params?: Readonly<Record<string, ParameterOptions>>;
}

/** One op at work in a graph. */
export interface Node {
  readonly op: Op;
  readonly name: string;
  readonly index: number;
  /** Inputs in the op's order, parameters behind them. */
  readonly inputs: readonly Value[];
  /** How many of the inputs are not parameters. */
  readonly arity: number;
  readonly outputs: readonly Value[];
  readonly options: object;
  /** Factor of this layer's loss in the total; 1 for loss ops unless set. 0: not a loss. */
  readonly lossWeight: number;
}

/** A learnable tensor of a graph. */
export interface Parameter {
  readonly filler: Filler;
  readonly rate: number;
  readonly decay: number;
  /** False for statistics, which a solver never touches. */
  readonly learned: boolean;
}

/** A named tensor of a graph: an input, a parameter or a result of a node. Its shape is that of the graph's own batch. */
export class Value {
  constructor(
    readonly builder: GraphBuilder,
    readonly name: string,
    readonly shape: Shape,
    readonly source: { readonly node: Node; readonly output: number } | { readonly parameter: Parameter } | 'input',
  ) {}
}

/** A graph's input: its shape without the batch, unless `batched` is false. */
export interface InputSpec {
  readonly shape: Shape;
  readonly batched: boolean;
}

/** An input of one such element per image of the batch: `input([3, 227, 227])` is N × 3 × 227 × 227, `input([])` one label each. */
export function input(shape: Shape): InputSpec {
  return { shape, batched: true };
}

/** An input whose whole shape is fixed. */
export function fixedInput(shape: Shape): InputSpec {
  return { shape, batched: false };
}

/** Nodes and values in the order they are made. */
export class GraphBuilder {
  readonly nodes: Node[] = [];
  readonly values: Value[] = [];
  readonly #names = new Set<string>();

  constructor(readonly batch: number) {}

  /** Adds an input. @throws {GraphError} for a name that is taken */
  input(name: string, spec: InputSpec): Value {
    const shape = spec.batched ? [this.batch, ...spec.shape] : spec.shape;
    this.#claim(name, 'input');
    checkShape(shape, name);
    return this.#value(name, shape, 'input');
  }

  /** Adds a parameter that belongs to no layer. @throws {GraphError} for a name that is taken */
  parameter(name: string, spec: ParameterSpec, options: ParameterOptions = {}): Value {
    if (options.share) return this.#shared(name, spec, options.share);
    this.#claim(name, 'parameter');
    checkShape(spec.shape, name);
    return this.#value(name, spec.shape, {
      parameter: {
        filler: options.filler ?? spec.filler,
        rate: options.rate ?? 1,
        decay: options.decay ?? 1,
        learned: spec.learned ?? true,
      },
    });
  }

  /** Adds a node: declares the op's parameters, checks its shapes. Errors carry the layer's name. */
  add<O extends object, A extends Attributes>(
    op: Op<O, A>,
    inputs: readonly Value[],
    options: O & LayerOptions & { readonly lossWeight?: number },
    names?: readonly string[],
  ): readonly Value[] {
    const name = options.name ?? this.#freshName(op.name);
    this.#claim(name, 'layer');
    for (const value of inputs) this.#own(name, value);
    const shapes = inputs.map((v) => v.shape);
    return located(name, () => {
      const attributes = op.attributes(options, shapes);
      const specs = op.parameters?.(shapes, attributes, options) ?? [];
      this.#checkParamNames(specs, options.params);
      const parameters = specs.map((spec) => this.parameter(`${name}.${spec.name}`, spec, options.params?.[spec.name]));
      const all = [...inputs, ...parameters];
      const outputs = op
        .outputs(
          all.map((v) => v.shape),
          attributes,
        )
        .filter((o) => !o.saved);
      const lossWeight = options.lossWeight ?? (op.loss ? 1 : 0);
      const made: Value[] = [];
      const node: Node = {
        op,
        name,
        index: this.nodes.length,
        inputs: all,
        arity: inputs.length,
        outputs: made,
        options,
        lossWeight,
      };
      this.nodes.push(node);
      outputs.forEach((spec, output) => {
        checkShape(spec.shape, name);
        made.push(
          this.#value(names?.[output] ?? (outputs.length === 1 ? name : `${name}.${output}`), spec.shape, {
            node,
            output,
          }),
        );
      });
      return made;
    });
  }

  #value(name: string, shape: Shape, source: Value['source']): Value {
    const value = new Value(this, name, shape, source);
    this.values.push(value);
    return value;
  }

  #shared(name: string, spec: ParameterSpec, value: Value): Value {
    this.#own(name, value);
    if (!same(value.shape, spec.shape)) {
      throw new ShapeError(
        `expected a shared ${spec.name} of shape ${format(spec.shape)}, got ${value.name} of shape ${format(value.shape)}`,
      );
    }
    return value;
  }

  #claim(name: string, what: string): void {
    if (name === '') throw new GraphError(`graph: expected a ${what} name, got an empty one`);
    if (this.#names.has(name))
      throw new GraphError(`graph: expected unique names, got a second ${what} called "${name}"`);
    this.#names.add(name);
  }

  #freshName(base: string): string {
    for (let i = 1; ; i++) if (!this.#names.has(`${base}${i}`)) return `${base}${i}`;
  }

  #own(name: string, value: Value): void {
    if (value.builder !== this)
      throw new GraphError(`${name}: expected values of this graph, got "${value.name}" of another`);
  }

  #checkParamNames(specs: readonly ParameterSpec[], params: LayerOptions['params']): void {
    for (const key of Object.keys(params ?? {})) {
      if (specs.some((s) => s.name === key)) continue;
      const known = specs.map((s) => s.name).join(', ') || 'none';
      throw new GraphError(`expected params among ${known}, got "${key}"`);
    }
  }
}

/** An immutable net. `I` and `O` are the names of its inputs and outputs. */
export class Graph<I extends string = string, O extends string = string> {
  readonly name: string;
  readonly batch: number;
  readonly inputs: Readonly<Record<I, Value>>;
  readonly outputs: Readonly<Record<O, Value>>;
  readonly nodes: readonly Node[];
  /** Every value in the order made; of values with one name (in-place layers of Caffe) the last counts. */
  readonly values: readonly Value[];
  readonly inputSpecs: Readonly<Record<I, InputSpec>>;
  /** Its parameters, in the order of its layers. */
  readonly parameters: readonly Value[];
  /** Losses that backward starts from. */
  readonly losses: readonly Value[];

  constructor(
    name: string,
    builder: GraphBuilder,
    specs: Readonly<Record<I, InputSpec>>,
    inputs: Record<I, Value>,
    outputs: Record<O, Value>,
  ) {
    this.name = name;
    this.batch = builder.batch;
    this.inputs = Object.freeze(inputs);
    this.outputs = Object.freeze(outputs);
    this.nodes = Object.freeze(builder.nodes.slice());
    this.values = Object.freeze(builder.values.slice());
    this.inputSpecs = specs;
    this.parameters = Object.freeze(
      this.values.filter(({ source }) => typeof source === 'object' && 'parameter' in source),
    );
    this.losses = Object.freeze(this.nodes.filter((n) => n.lossWeight !== 0).map((n) => n.outputs[0]!));
  }

  /** Whether its inputs have a batch axis that may change. */
  get batched(): boolean {
    return Object.values<InputSpec>(this.inputSpecs).some((s) => s.batched);
  }

  /** The value of that name. @throws {GraphError} */
  value(name: string): Value {
    const found = this.values.findLast((v) => v.name === name);
    if (found) return found;
    const near = this.values
      .map((v) => v.name)
      .filter((n) => n.toLowerCase().includes(name.toLowerCase()))
      .slice(0, 5);
    throw new GraphError(
      `${this.name}: expected the name of a value, got "${name}"${near.length ? `; near: ${near.join(', ')}` : ''}`,
    );
  }

  /** A table for people: layer, output shape, parameters, FLOPs, bytes. */
  summary(batch = this.batch): string {
    return formatSummary(summarize(this, batch));
  }

  /** The graph in Graphviz's language. */
  toDot(batch = this.batch): string {
    return toDot(this, batch);
  }

  /**
   * Shapes, attributes and saved results of every node at another batch size.
   * @throws {ShapeError} where a layer fixes the batch (a reshape with all extents written out, say)
   */
  at(batch: number): Sized {
    const shapes = new Map<Value, Shape>();
    for (const [name, value] of Object.entries(this.inputs) as [I, Value][]) {
      const spec: InputSpec = this.inputSpecs[name];
      shapes.set(value, spec.batched ? [batch, ...spec.shape] : spec.shape);
    }
    for (const value of this.parameters) shapes.set(value, value.shape);
    const nodes = this.nodes.map((node) => sizeNode(node, shapes));
    return { batch, shapes, nodes };
  }
}

type Values<I extends string> = Readonly<Record<I, Value>>;

/**
 * Builds a graph: `graph({ data: input([3, 32, 32]) }, ({ data }) => ({ prob: softmax(dense(data, { units: 10 })) }))`.
 * `batch` (default 1) only matters to layers that fix it; `compile` chooses the real one.
 * @throws {ShapeError | GraphError} at the first layer that does not fit
 */
export function graph<const I extends string, const O extends string>(
  inputs: Readonly<Record<I, InputSpec>>,
  build: (values: Values<I>, builder: GraphBuilder) => Readonly<Record<O, Value>>,
  options: { readonly name?: string; readonly batch?: number } = {},
): Graph<I, O> {
  const builder = new GraphBuilder(options.batch ?? 1);
  const values = {} as Record<I, Value>;
  for (const [name, spec] of Object.entries(inputs) as [I, InputSpec][]) values[name] = builder.input(name, spec);
  const outputs = build(values, builder);
  for (const [name, value] of Object.entries(outputs) as [O, Value][]) {
    if (!(value instanceof Value) || value.builder !== builder)
      throw new GraphError(`graph: expected output "${name}" to be a value of this graph`);
  }
  return new Graph(options.name ?? 'graph', builder, inputs, values, { ...outputs });
}

/** Adds one layer to the graph of its inputs; ops with no parameters ignore `params`. */
export function layer<O extends object, A extends Attributes>(
  op: Op<O, A>,
  inputs: readonly [Value, ...Value[]],
  options: O & LayerOptions & { readonly lossWeight?: number },
  names?: readonly string[],
): readonly Value[] {
  // Callers in JavaScript may hand in anything.
  const [first, given]: readonly unknown[] = [inputs[0], options];
  if (!(first instanceof Value)) throw new GraphError(`${op.name}: expected a value of a graph, got ${typeof first}`);
  if (typeof given !== 'object' || given === null)
    throw new UsageError(`${op.name}: expected options, got ${String(given)}`);
  return first.builder.add(op, inputs, options, names);
}
