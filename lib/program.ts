import type { Attributes } from './op.js';
import { count, format, type Shape } from './shape.js';
import { ShapeError } from './errors.js';

/** Type of a tensor's elements: float32, int32, uint8, int8, bfloat16, float16. */
export type DType = 'f32' | 'i32' | 'u8' | 'i8' | 'bf16' | 'f16';
/** Whether dropout drops and batchNorm takes statistics of the batch (`train`), or not (`test`). */
export type Phase = 'train' | 'test';

export const BYTES: Readonly<Record<DType, number>> = { f32: 4, i32: 4, u8: 1, i8: 1, bf16: 2, f16: 2 };

/**
 * Where a tensor of a program lives: `state` outlives the run (parameters, solver history), `kept` follows from it and lives
 * as long as the plan, the rest is per run.
 */
export type Place =
  | { readonly kind: 'input'; readonly name: string }
  | { readonly kind: 'state'; readonly key: string }
  | { readonly kind: 'kept' }
  | { readonly kind: 'work' };

/** A tensor of a program. */
export interface Ref {
  readonly id: number;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly place: Place;
  readonly label: string;
  /** Of images (n, c, h, w): their elements lie as (n, h, w, c). Default false. */
  readonly channelsLast?: boolean;
}

/**
 * What a step computes in JavaScript: reads its inputs and fills its outputs, which are float32 and its own for the call.
 * An output that nobody reads is undefined. It may take its time in a promise; while it does not, the event loop waits.
 */
export type Script = (
  inputs: readonly Float32Array[],
  outputs: readonly (Float32Array | undefined)[],
) => void | Promise<void>;

/** A kernel of another addon, made by `cortado_export` of native/include/cortado/export.h. */
export type NativeKernel = object;

/** One kernel call. */
export interface Step {
  readonly kernel: string;
  /** Layer and pass, for errors and timings: `conv1`, `conv1.dgrad`. */
  readonly label: string;
  readonly inputs: readonly (Ref | undefined)[];
  readonly outputs: readonly (Ref | undefined)[];
  readonly attributes: Attributes;
  readonly inPlace: boolean;
  /** Computes it instead of the kernel. */
  readonly script?: Script;
  /** Another addon's, which computes it instead of the kernel. */
  readonly native?: NativeKernel;
  /** Changes what outlives the run: from the first such step on, a run is no longer cancelled. */
  readonly commits?: boolean;
}

/** A graph lowered for one batch size, phase and set of wanted results: tensors and kernel calls in order, no places yet. */
export interface Program {
  readonly refs: readonly Ref[];
  readonly steps: readonly Step[];
  /** Steps that make what is kept; run before the others whenever the parameters have changed. */
  readonly prologue: readonly Step[];
  /** Ref id → id of the tensor whose elements it shares. */
  readonly views: ReadonlyMap<number, number>;
  /** Tensors that must hold their value when the run ends, by the caller's order. */
  readonly results: readonly Ref[];
  /** Tensors that must be finite for a run to commit anything. */
  readonly guarded: readonly Ref[];
  /** Flags (i32, 1 = bad) that a run raises, and what each says. */
  readonly checks: readonly Check[];
}

/** A flag that tells whether a step's result holds NaN or infinity. */
export interface Check {
  readonly flag: Ref;
  readonly label: string;
  /** Number of the step that raises it. */
  readonly at: number;
}

export class ProgramBuilder {
  readonly refs: Ref[] = [];
  readonly steps: Step[] = [];
  readonly views = new Map<number, number>();
  readonly #places = new Map<string, Ref>();

  add(place: Place, shape: Shape, dtype: DType, label: string): Ref {
    const ref: Ref = { id: this.refs.length, shape, dtype, place, label };
    this.refs.push(ref);
    return ref;
  }

  work(shape: Shape, dtype: DType, label: string): Ref {
    return this.add({ kind: 'work' }, shape, dtype, label);
  }

  /** The input or state tensor of that name; made on first use. */
  named(place: Exclude<Place, { kind: 'work' | 'kept' }>, shape: Shape, dtype: DType): Ref {
    const key = place.kind === 'input' ? `input ${place.name}` : `state ${place.key}`;
    const label = place.kind === 'input' ? place.name : place.key;
    let ref = this.#places.get(key);
    if (!ref) this.#places.set(key, (ref = this.add(place, shape, dtype, label)));
    return ref;
  }

  view(of: Ref, shape: Shape, label: string): Ref {
    if (count(shape) !== count(of.shape)) {
      throw new ShapeError(
        `${label}: expected a view of ${format(of.shape)} to keep its ${count(of.shape)} elements, got ${format(shape)}`,
      );
    }
    const ref = this.add(of.place, shape, of.dtype, label);
    this.views.set(ref.id, this.root(of.id));
    return ref;
  }

  /** Makes an existing tensor a view of another: for ops that turn out to do nothing. */
  alias(ref: Ref, of: Ref): void {
    this.views.set(ref.id, this.root(of.id));
  }

  root(id: number): number {
    return rootOf(this.views, id);
  }

  step(step: Step): void {
    this.steps.push(step);
  }

  finish(results: readonly Ref[], guarded: readonly Ref[] = []): Program {
    return { refs: this.refs, steps: this.steps, prologue: [], views: this.views, results, guarded, checks: [] };
  }
}

/** The tensor that holds a view's elements. */
export function rootOf(views: ReadonlyMap<number, number>, id: number): number {
  for (let at: number | undefined = id; at !== undefined; at = views.get(at)) id = at;
  return id;
}
