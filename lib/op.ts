import { UsageError } from './errors.js';
import type { DType, NativeKernel, Phase, Ref, Script } from './program.js';
import type { Filler } from './fillers.js';
import type { Shape } from './shape.js';

/** What a kernel reads by name: numbers and lists of numbers. Spelled out in full: no default is left to the kernel. */
export type Attributes = Readonly<Record<string, number | readonly number[]>>;

/** A learnable tensor that an op declares beside its inputs. */
export interface ParameterSpec {
  /** Last part of its name: `weight` makes `conv1.weight`. */
  readonly name: string;
  readonly shape: Shape;
  /** Initial values unless the caller gives others. */
  readonly filler: Filler;
  /** Statistics (batchNorm) are kept with the parameters but never learned. Default true. */
  readonly learned?: boolean;
}

/** One result of an op. */
export interface OutputSpec {
  readonly shape: Shape;
  readonly dtype?: DType;
  /** Kept only for the gradient (argmax, statistics); not a value of the graph. */
  readonly saved?: boolean;
}

/** Writes steps while a graph is lowered for one batch size, phase and set of wanted results. */
export interface Emitter<A extends Attributes = Attributes> {
  readonly attributes: A;
  readonly phase: Phase;
  /** Inputs in the op's order, its parameters behind them. */
  readonly inputs: readonly Ref[];
  /** Results in the op's order, saved ones included. */
  readonly outputs: readonly Ref[];
  /** Number of the node in its graph: a stream of its own for random numbers. */
  readonly index: number;
  /** Seed and run counter (4 × i32), another each run: input of kernels that draw random numbers. */
  random(): Ref;
  /**
   * One kernel call. An input may be `undefined` when the op does without; outputs nobody reads are dropped by a pass.
   * `inPlace` says that output 0 may be written over input 0, element by element.
   */
  run(
    kernel: string,
    inputs: readonly (Ref | undefined)[],
    outputs: readonly (Ref | undefined)[],
    attributes?: Attributes,
    inPlace?: boolean,
  ): void;
  /** One step in JavaScript, between the kernels. All tensors are float32. */
  compute(script: Script, inputs: readonly Ref[], outputs: readonly Ref[]): void;
  /**
   * One call of a kernel of one's own in C or C++, as an addon exports it with `cortado_export` (cortado/export.h). All
   * tensors are float32; outputs nobody reads have no data. On the CPU only.
   */
  native(
    kernel: NativeKernel,
    inputs: readonly (Ref | undefined)[],
    outputs: readonly (Ref | undefined)[],
    attributes?: Attributes,
  ): void;
  /** The steps of another op, whose results (saved ones included) it gives. `inputs` has its parameters behind its inputs. */
  apply<O extends object, B extends Attributes>(
    op: Op<O, B>,
    inputs: readonly Ref[],
    options?: Partial<O>,
  ): readonly Ref[];
  /** A new tensor that lives as long as it is read. */
  temp(shape: Shape, dtype?: DType): Ref;
  /** The same elements under another shape: costs nothing. */
  view(of: Ref, shape: Shape): Ref;
  /** Declares that output `index` is just another view of `of`. */
  alias(index: number, of: Ref): void;
}

/** The same, for the gradient: what is known and what is asked for. */
export interface GradientEmitter<A extends Attributes = Attributes> extends Emitter<A> {
  /** Gradient of each visible output; undefined where nothing flows back. */
  readonly dys: readonly (Ref | undefined)[];
  /** The gradient of the only (or first) output. Only called when one flows back. */
  readonly dy: Ref;
  /** Whether the gradient of input `index` is asked for. Compute no other. */
  wants(index: number): boolean;
  /** Gradient of output `index`, zeros where nothing flows back. */
  dyOrZeros(index: number): Ref;
}

/** An op, described once: everything else (graph function, plan, gradient, eager call, table, docs) follows from this. */
export interface Op<Options extends object = object, A extends Attributes = Attributes> {
  /** Its name in tables and errors, and of its forward kernel. */
  readonly name: string;
  /** Turns options into checked kernel attributes. `inputs` are shapes without the parameters'. @throws {ShapeError} */
  attributes(options: Options, inputs: readonly Shape[]): A;
  /** Parameters that it declares, in order, behind its inputs. */
  parameters?(inputs: readonly Shape[], attributes: A, options: Options): readonly ParameterSpec[];
  /** For eager calls: options that the given tensors' shapes (parameters included) already tell. */
  infer?(inputs: readonly Shape[]): Partial<Options>;
  /** Shapes of its results from those of its inputs (parameters included). @throws {ShapeError} */
  outputs(inputs: readonly Shape[], attributes: A): readonly OutputSpec[];
  /** Steps of the forward pass. Default: one call of the kernel that has the op's name. */
  forward?(emit: Emitter<A>): void;
  /** Steps of the gradient; returns one per input (undefined where none). Absent: the op has no gradient. */
  backward?(emit: GradientEmitter<A>): readonly (Ref | undefined)[];
  /** Multiply-adds count as two. Default: none. */
  flops?(inputs: readonly Shape[], outputs: readonly Shape[], attributes: A): number;
  /** Its first output is a scalar that backward starts from. */
  readonly loss?: boolean;
}

/** Gives an op definition its types. */
export function defineOp<Options extends object, A extends Attributes>(op: Op<Options, A>): Op<Options, A> {
  return op;
}

/** An op's options for tensors of these shapes, how many of those are inputs, and the parameters that the others are. */
export function resolve<O extends object, A extends Attributes>(
  op: Op<O, A>,
  shapes: readonly Shape[],
  given: Partial<O>,
): { readonly options: O; readonly arity: number; readonly names: readonly string[] } {
  const options = { ...op.infer?.(shapes), ...given } as O;
  if (!op.parameters) return { options, arity: shapes.length, names: [] };
  for (let arity = shapes.length; arity > 0; arity--) {
    const own = shapes.slice(0, arity);
    const names = op.parameters(own, op.attributes(options, own), options).map((p) => p.name);
    if (names.length === shapes.length - arity) return { options, arity, names };
  }
  throw new UsageError(`${op.name}: expected its inputs and all of its parameters, got ${shapes.length} tensors`);
}
