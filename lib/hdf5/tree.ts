import type { Shape } from '../shape.js';

/** Numbers of a dataset; whole ones of 64 bits become floating-point ones. */
export type Numbers = Float32Array | Float64Array | Int32Array | Uint8Array;

/** An array of a file. */
export interface Leaf {
  readonly kind: 'dataset';
  readonly shape: Shape;
  /** Undefined where only shapes were asked for, or the elements are of another kind. */
  readonly values: Numbers | string | undefined;
}

/** A group, the file itself too: its members by name. */
export interface Tree {
  readonly kind: 'group';
  readonly members: ReadonlyMap<string, Tree | Leaf>;
}

/** What a path such as `data/conv1/0` leads to. */
export function find(tree: Tree, path: string): Tree | Leaf | undefined {
  return path
    .split('/')
    .reduce<Tree | Leaf | undefined>((at, name) => (at?.kind === 'group' ? at.members.get(name) : undefined), tree);
}

/** A group from its members. */
export function treeOf(members: Iterable<readonly [string, Tree | Leaf]>): Tree {
  return { kind: 'group', members: new Map(members) };
}

/** A dataset from its numbers, or a text. */
export function leafOf(values: Numbers | string, shape: Shape): Leaf {
  return { kind: 'dataset', shape, values };
}
