import { GraphError, ShapeError } from './errors.js';
import type { Node, Value } from './graph.js';
import type { Attributes, OutputSpec } from './op.js';
import type { Shape } from './shape.js';

/** A node at a given batch size. */
export interface SizedNode {
  readonly node: Node;
  readonly attributes: Attributes;
  readonly outputs: readonly OutputSpec[];
}

/** A graph at a given batch size. */
export interface Sized {
  readonly batch: number;
  readonly shapes: ReadonlyMap<Value, Shape>;
  readonly nodes: readonly SizedNode[];
}

/** Asks the op for a node's attributes and results, and enters the shapes of its values. @throws {ShapeError} */
export function sizeNode(node: Node, shapes: Map<Value, Shape>): SizedNode {
  return located(node.name, () => {
    const all = node.inputs.map((v) => shapes.get(v)!);
    const attributes = node.op.attributes(node.options, all.slice(0, node.arity));
    const outputs = node.op.outputs(all, attributes);
    outputs.filter((o) => !o.saved).forEach((spec, i) => shapes.set(node.outputs[i]!, spec.shape));
    return { node, attributes, outputs };
  });
}

/** Puts the layer's name in front of an error raised by its op. */
export function located<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof ShapeError) throw new ShapeError(`${name}: ${error.message}`, { cause: error.cause });
    if (error instanceof GraphError && !error.message.startsWith('graph: '))
      throw new GraphError(`${name}: ${error.message}`, { cause: error.cause });
    throw error;
  }
}
