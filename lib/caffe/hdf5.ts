import { setImmediate } from 'node:timers/promises';
import { FormatError } from '../errors.js';
import { readTree, writeTree } from '../hdf5/run.js';
import { find, leafOf, treeOf, type Leaf, type Tree } from '../hdf5/tree.js';
import { count, format } from '../shape.js';
import { checkBlob, type Blob } from './blob.js';
import type { CaffeModel, LayerWeights, ReadOptions } from './caffemodel.js';
import type { TrainingState } from './solverstate.js';

/** Whether a file is HDF5 by its name, which is how Caffe tells. */
export function isHdf5(path: unknown): path is string {
  return typeof path === 'string' && /\.(h5|hdf5)$/i.test(path);
}

/**
 * Reads weights from `data/LAYER/INDEX`. The file knows neither types nor the order of layers; weights that a layer shares
 * with an earlier one are not in it, and leave a hole in `blobs`.
 */
export async function readCaffemodelHdf5(path: string, options: ReadOptions): Promise<CaffeModel> {
  const file = await readTree(path, { values: true });
  const data = groupIn(file, 'data', path);
  const diff = options.diffs ? file.members.get('diff') : undefined;
  const layers: LayerWeights[] = [];
  for (const { name, group } of layersIn(data)) {
    const blobs: Blob[] = [];
    for (const [key, member] of group.members) {
      const where = `${path}: data/${name}/${key}`;
      if (member.kind !== 'dataset') continue;
      if (!/^\d{1,4}$/.test(key)) throw new FormatError(`${where}: expected the number of a blob`);
      const gradient = diff?.kind === 'group' ? find(diff, `${name}/${key}`) : undefined;
      blobs[Number(key)] = await blobOf(member, where, gradient);
    }
    layers.push({ name, type: '', blobs });
  }
  return { name: '', layers };
}

/** Groups without groups in them, under their whole path: a layer's name may contain slashes. */
function* layersIn(tree: Tree, prefix = ''): Generator<{ readonly name: string; readonly group: Tree }> {
  for (const [key, member] of tree.members) {
    if (member.kind !== 'group') continue;
    const nested = [...member.members.values()].some((each) => each.kind === 'group');
    const plain = !nested || [...member.members.values()].some((each) => each.kind === 'dataset');
    if (plain) yield { name: prefix + key, group: member };
    if (nested) yield* layersIn(member, `${prefix}${key}/`);
  }
}

function groupIn(tree: Tree, name: string, path: string): Tree {
  const member = tree.members.get(name);
  if (member?.kind === 'group') return member;
  const got = [...tree.members.keys()].join(', ') || 'nothing';
  throw new FormatError(`${path}: expected a group "${name}", got ${got}`);
}

async function blobOf(leaf: Leaf, where: string, gradient?: Tree | Leaf): Promise<Blob> {
  const data = await float32(leaf, where);
  if (gradient?.kind !== 'dataset') return { shape: leaf.shape, data };
  return { shape: leaf.shape, data, diff: await float32(gradient, where) };
}

/** Numbers converted between two turns of the event loop. */
const STEP = 1 << 18;

async function float32({ values, shape }: Leaf, where: string): Promise<Float32Array> {
  if (typeof values !== 'object' || values.length !== count(shape)) {
    throw new FormatError(`${where}: expected ${count(shape)} numbers of shape ${format(shape)}`);
  }
  if (values instanceof Float32Array) return values;
  const made = new Float32Array(values.length);
  for (let at = 0; at < values.length; at += STEP) {
    made.set(values.subarray(at, at + STEP), at);
    await setImmediate();
  }
  return made;
}

/** Writes weights where Caffe's HDF5 snapshots have them. */
export async function writeCaffemodelHdf5(path: string, { layers }: CaffeModel): Promise<void> {
  const data = members();
  const diff = members();
  for (const { name, blobs } of layers) {
    const home = data.group(name);
    blobs.forEach((blob, index) => {
      checkBlob(blob, `${name}, blob ${index}`);
      home.set(String(index), leafOf(blob.data, blob.shape));
      if (blob.diff) diff.group(name).set(String(index), leafOf(blob.diff, blob.shape));
    });
  }
  const gradients = diff.tree.members.size > 0 ? [['diff', diff.tree] as const] : [];
  await writeTree(path, treeOf([['data', data.tree], ...gradients]));
}

type Members = Map<string, Tree | Leaf>;

/** A tree in the making; `group` makes the groups on the way to a name with slashes. */
function members(): { readonly tree: Tree; readonly group: (name: string) => Members } {
  const root: Members = new Map();
  const group = (name: string): Members =>
    name.split('/').reduce<Members>((at, part) => {
      if (!at.has(part)) at.set(part, { kind: 'group', members: new Map() });
      const member = at.get(part)!;
      if (member.kind === 'group') return member.members as Members;
      throw new FormatError(`layer "${name}": expected a name that is no blob of another layer`);
    }, root);
  return { tree: { kind: 'group', members: root }, group };
}

/** Reads a solver's state. */
export async function readSolverstateHdf5(path: string): Promise<TrainingState> {
  const file = await readTree(path, { values: true });
  const history: Blob[] = [];
  const { members: blobs } = groupIn(file, 'history', path);
  for (let index = 0; index < blobs.size; index++) {
    const where = `${path}: history/${index}`;
    const leaf = blobs.get(String(index));
    if (leaf?.kind !== 'dataset') throw new FormatError(`${where}: expected a dataset, got none`);
    history.push(await blobOf(leaf, where));
  }
  const learnedNet = find(file, 'learned_net');
  return {
    iteration: wholeNumber(file, 'iter', path),
    learnedNet: learnedNet?.kind === 'dataset' && typeof learnedNet.values === 'string' ? learnedNet.values : '',
    currentStep: wholeNumber(file, 'current_step', path),
    history,
  };
}

function wholeNumber(file: Tree, name: string, path: string): number {
  const leaf = find(file, name);
  const value = leaf?.kind === 'dataset' && typeof leaf.values === 'object' ? leaf.values[0] : undefined;
  if (value !== undefined && Number.isSafeInteger(value)) return value;
  throw new FormatError(`${path}: expected a whole number "${name}", got ${value ?? 'none'}`);
}

/** Writes a solver's state as Caffe does. */
export async function writeSolverstateHdf5(path: string, state: TrainingState): Promise<void> {
  state.history.forEach((blob, index) => checkBlob(blob, `history ${index}`));
  const history = state.history.map(({ data, shape }, index) => [String(index), leafOf(data, shape)] as const);
  const one = (value: number): Leaf => leafOf(Int32Array.of(value), [1]);
  await writeTree(
    path,
    treeOf([
      ['iter', one(state.iteration)],
      ['learned_net', leafOf(state.learnedNet, [])],
      ['current_step', one(state.currentStep)],
      ['history', treeOf(history)],
    ]),
  );
}
