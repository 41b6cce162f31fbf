import { GraphError } from './errors.js';
import { StepEmitter, seedName, siteOf, type Forward } from './forward.js';
import type { Value } from './graph.js';
import type { GradientEmitter } from './op.js';
import type { Ref } from './program.js';
import { located, type SizedNode } from './sized.js';

/** Which gradients are wanted, and where backward starts. */
export interface Requests {
  readonly of: readonly Value[];
  readonly starts: readonly Value[];
  /** The caller hands in the gradients of `starts`; otherwise each is its loss weight. */
  readonly given: boolean;
}

/**
 * Reverse-mode differentiation: walks the emitted nodes backwards, asks each op's rule for the gradients that lead to a
 * wanted value, and adds up what several readers of one value send back.
 * @throws {GraphError} when no gradient can reach a wanted value
 */
export function backward(forward: Forward, requests: Requests): Map<Value, Ref> {
  const walk = new Backward(forward, requests);
  for (let i = forward.nodes.length - 1; i >= 0; i--) walk.visit(forward.nodes[i]!);
  return walk.finish();
}

class Backward {
  readonly #parts = new Map<Value, Ref[]>();
  readonly #sums = new Map<Value, Ref>();
  readonly #leads: ReadonlySet<Value>;

  constructor(
    readonly forward: Forward,
    readonly requests: Requests,
  ) {
    this.#leads = leadingTo(forward.nodes, requests.of);
    for (const value of requests.starts) this.#push(value, this.#seed(value));
  }

  visit(sized: SizedNode): void {
    const { node } = sized;
    if (!node.inputs.some((v) => this.#leads.has(v))) return;
    const dys = node.outputs.map((v) => this.#sum(v));
    if (dys.every((dy) => dy === undefined)) return;
    if (!node.op.backward) return;
    const gradients = located(node.name, () =>
      node.op.backward!(new BackwardStep(this.forward, sized, dys, this.#leads)),
    );
    node.inputs.forEach((value, i) => {
      const gradient = gradients[i];
      if (gradient && this.#leads.has(value)) this.#push(value, gradient);
    });
  }

  finish(): Map<Value, Ref> {
    return new Map(
      this.requests.of.map((value) => {
        const gradient = this.#sum(value);
        if (gradient) return [value, gradient];
        return [value, this.#zeros(value)];
      }),
    );
  }

  #push(value: Value, gradient: Ref): void {
    const parts = this.#parts.get(value);
    if (parts) parts.push(gradient);
    else this.#parts.set(value, [gradient]);
  }

  /** The gradient of a value, once all its readers have been visited. */
  #sum(value: Value): Ref | undefined {
    const known = this.#sums.get(value);
    if (known) return known;
    const parts = this.#parts.get(value);
    if (!parts) return undefined;
    let total = parts[0]!;
    if (parts.length > 1) {
      const shape = this.forward.sized.shapes.get(value)!;
      total = this.forward.builder.work(shape, 'f32', `d(${value.name})`);
      this.forward.builder.step({
        kernel: 'sum',
        label: `${value.name}.fanout`,
        inputs: parts,
        outputs: [total],
        attributes: { coefficients: parts.map(() => 1) },
        inPlace: true,
      });
    }
    this.#sums.set(value, total);
    return total;
  }

  #seed(value: Value): Ref {
    const shape = this.forward.sized.shapes.get(value)!;
    if (this.requests.given) return this.forward.builder.named({ kind: 'input', name: seedName(value) }, shape, 'f32');
    const weight = typeof value.source === 'object' && 'node' in value.source ? value.source.node.lossWeight : 1;
    return this.#filled(value, weight);
  }

  /** Nothing flows back to the value: its gradient is zero, if the value took part at all. */
  #zeros(value: Value): Ref {
    if (!this.forward.sized.shapes.has(value))
      throw new GraphError(`graph: expected gradients of values of this graph, got "${value.name}"`);
    return this.#filled(value, 0);
  }

  #filled(value: Value, constant: number): Ref {
    const ref = this.forward.builder.work(this.forward.sized.shapes.get(value)!, 'f32', `d(${value.name})`);
    this.forward.builder.step({
      kernel: 'fill',
      label: `${value.name}.seed`,
      inputs: [],
      outputs: [ref],
      attributes: { value: constant },
      inPlace: false,
    });
    return ref;
  }
}

/** Values from which a gradient can still reach a wanted one, that one included. */
function leadingTo(nodes: readonly SizedNode[], wanted: readonly Value[]): Set<Value> {
  const leads = new Set(wanted);
  for (const { node } of nodes) {
    if (!node.inputs.some((v) => leads.has(v))) continue;
    for (const value of node.outputs) leads.add(value);
  }
  return leads;
}

class BackwardStep extends StepEmitter implements GradientEmitter {
  readonly #node: SizedNode;
  readonly #leads: ReadonlySet<Value>;

  constructor(
    forward: Forward,
    sized: SizedNode,
    readonly dys: readonly (Ref | undefined)[],
    leads: ReadonlySet<Value>,
  ) {
    super(siteOf(forward, sized), '.grad');
    this.#node = sized;
    this.#leads = leads;
  }

  get dy(): Ref {
    return this.dyOrZeros(0);
  }

  wants(index: number): boolean {
    const value = this.#node.node.inputs[index];
    return value !== undefined && this.#leads.has(value);
  }

  dyOrZeros(index: number): Ref {
    const dy = this.dys[index];
    if (dy) return dy;
    const zeros = this.temp(this.outputs[index]!.shape);
    this.run('fill', [], [zeros], { value: 0 });
    return zeros;
  }
}
