import { GraphError } from '../../errors.js';
import type { Filler } from '../../fillers.js';
import type { GraphBuilder, LayerOptions, ParameterOptions, Value } from '../../graph.js';
import type { Attributes, Op } from '../../op.js';
import type { Layer, Param } from '../schema.js';
import { at } from '../text/position.js';
import { shown } from './inputs.js';
import type { Names } from './names.js';
import type { SharedParameters } from './shared.js';

/** Turns one layer into nodes; returns its tops. */
export type Reader = (site: Site) => readonly Value[];

/** One layer being built: what a reader works with. */
export class Site {
  /** The layer's parameters in the order of its blobs. */
  readonly params: Value[] = [];

  constructor(
    readonly layer: Layer,
    readonly bottoms: readonly Value[],
    private readonly builder: GraphBuilder,
    private readonly names: Names,
    private readonly shared: SharedParameters,
  ) {}

  /** An error that says where the layer stands. */
  error(message: string): GraphError {
    return new GraphError(`${at(this.layer)}layer ${shown(this.layer)}: ${message}`);
  }

  /** The bottoms, which must be that many. */
  takes(least: number, most = least): readonly Value[] {
    const n = this.bottoms.length;
    const range = most === least ? String(least) : most === Infinity ? `at least ${least}` : `${least} to ${most}`;
    if (n < least || n > most) throw this.error(`expected ${range} bottoms, got ${n}`);
    return this.bottoms;
  }

  /** The first bottom of at least one. */
  get x(): Value {
    return this.takes(1, Infinity)[0]!;
  }

  /**
   * Adds a node. `params` are the fillers of the op's parameters in the order of Caffe's blobs, which is how `param`
   * entries meet them.
   */
  add<O extends object, A extends Attributes>(
    op: Op<O, A>,
    inputs: readonly Value[],
    options: O,
    params: Readonly<Record<string, Filler>> = {},
  ): readonly Value[] {
    const fillers = Object.entries(params);
    if (this.layer.param.length > fillers.length) {
      throw this.error(`expected at most ${fillers.length} param entries, got ${this.layer.param.length}`);
    }
    const own = Object.fromEntries(fillers.map(([name, filler], i) => [name, this.#parameter(i, filler)]));
    const made = this.#node(op, inputs, {
      ...options,
      ...(fillers.length > 0 && { params: own }),
      ...this.#weighted(),
    });
    const node = this.builder.nodes.at(-1)!;
    const values = node.inputs.slice(node.arity);
    if (this.params.length === 0) this.params.push(...values);
    values.forEach((value, i) => this.#remember(value, this.layer.param[i]));
    return made;
  }

  /** Adds a node with the parameters of the first one: Caffe's layers may treat several bottoms alike. */
  again<O extends object, A extends Attributes>(
    op: Op<O, A>,
    inputs: readonly Value[],
    options: O,
    params: Readonly<Record<string, Filler>>,
  ): readonly Value[] {
    const own = Object.fromEntries(Object.keys(params).map((name, i) => [name, { share: this.params[i]! }]));
    return this.#node(op, inputs, { ...options, params: own });
  }

  #node<O extends object, A extends Attributes>(
    op: Op<O, A>,
    inputs: readonly Value[],
    options: O & LayerOptions & { readonly lossWeight?: number },
  ): readonly Value[] {
    const name = this.names.node(this.layer.name ?? op.name);
    return this.builder.add(op, inputs, { ...options, name }, this.names.values(this.layer, name));
  }

  #weighted(): { readonly lossWeight?: number } {
    const [first, ...others] = this.layer.loss_weight;
    if (others.some((weight) => weight !== 0)) throw this.error('a loss_weight may stand only for the first top');
    return first === undefined ? {} : { lossWeight: first };
  }

  #parameter(index: number, filler: Filler): ParameterOptions {
    const { name, lr_mult, decay_mult } = this.layer.param[index] ?? {};
    if (!name) return { filler, rate: lr_mult ?? 1, decay: decay_mult ?? 1 };
    const rate = this.shared.multiplier(name, 'lr_mult');
    const decay = this.shared.multiplier(name, 'decay_mult');
    if ((lr_mult ?? rate) !== rate || (decay_mult ?? decay) !== decay) {
      throw this.error(`parameter "${name}" has other multipliers here than in an earlier layer`);
    }
    const owner = this.shared.find(name);
    return owner ? { share: owner } : { filler, rate, decay };
  }

  #remember(value: Value, spec: Param | undefined): void {
    if (spec?.name) this.shared.own(spec.name, value);
  }
}
