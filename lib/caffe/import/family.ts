import type { Filler } from '../../fillers.js';
import type { Node } from '../../graph.js';
import type { Attributes, Op } from '../../op.js';
import type { Layer } from '../schema.js';
import type { Reader } from './site.js';

/** What a layer of a file needs beside name, bottoms, tops and param entries. */
export type Settings = { readonly type: string } & Partial<Layer>;

/** Says in Caffe's words what a node does. `fillers` are those of its parameters. */
export type Writer = (node: Node, fillers: readonly Filler[]) => Settings;

/** Layers of one kind: how they are read, by Caffe's type, and how they are written, by the op's name. */
export interface Family {
  readonly readers: Readonly<Record<string, Reader>>;
  readonly writers: Readonly<Record<string, Writer>>;
}

/** The writer of an op, told the op's options and attributes by their types. */
export function writer<O extends object, A extends Attributes>(
  op: Op<O, A>,
  write: (options: O, attributes: A, fillers: readonly Filler[], node: Node) => Settings,
): Readonly<Record<string, Writer>> {
  return {
    [op.name](node, fillers) {
      const options = node.options as O;
      const shapes = node.inputs.slice(0, node.arity).map((value) => value.shape);
      return write(options, op.attributes(options, shapes), fillers, node);
    },
  };
}
