import { Dataset, Group } from 'h5wasm/node';
import { FormatError } from '../errors.js';
import type { Leaf, Numbers, Tree } from './tree.js';

/** Groups within groups; links may lead in a circle. */
const MOST_DEPTH = 32;

/** The content of a group; links to other files are not followed. */
export function fromGroup(group: Group, values: boolean, depth = 1): Tree {
  if (depth > MOST_DEPTH) throw new FormatError(`${group.path}: groups nested more than ${MOST_DEPTH} deep`);
  const members = new Map<string, Tree | Leaf>();
  for (const name of group.keys()) {
    const member = group.get(name);
    if (member instanceof Group) members.set(name, fromGroup(member, values, depth + 1));
    else if (member instanceof Dataset) members.set(name, fromDataset(member, values));
  }
  return { kind: 'group', members };
}

function fromDataset(dataset: Dataset, values: boolean): Leaf {
  const value = values ? dataset.value : undefined;
  const numbers = typeof value === 'string' ? value : numbersOf(value);
  return { kind: 'dataset', shape: dataset.shape ?? [], values: numbers };
}

/** What the library gives for a dataset or a part of one, as numbers; undefined when it holds none. */
export function numbersOf(value: unknown): Numbers | undefined {
  if (value instanceof Float32Array || value instanceof Float64Array) return value;
  if (value instanceof Int32Array || value instanceof Uint8Array) return value;
  if (value instanceof BigInt64Array || value instanceof BigUint64Array) return Float64Array.from(value, Number);
  if (typeof value === 'number') return Float64Array.of(value);
  if (typeof value === 'bigint') return Float64Array.of(Number(value));
  return ArrayBuffer.isView(value) && !(value instanceof DataView) ? Float64Array.from(value as Int8Array) : undefined;
}

/** Writes the content of a group, the way Caffe does: texts of a fixed length, closed by a zero. */
export function intoGroup(group: Group, tree: Tree): void {
  for (const [name, member] of tree.members) {
    if (member.kind === 'group') intoGroup(group.create_group(name), member);
    else if (typeof member.values === 'string') {
      group.create_dataset({ name, data: member.values, shape: [], dtype: `S${Buffer.byteLength(member.values) + 1}` });
    } else if (member.values) group.create_dataset({ name, data: member.values, shape: [...member.shape] });
  }
}
