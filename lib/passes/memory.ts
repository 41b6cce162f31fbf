import { BYTES, rootOf, type Program, type Ref } from '../program.js';
import { count } from '../shape.js';

/** Places of a program's tensors in one memory. */
export interface Layout {
  /** Byte offset of every tensor there (views included), by ref id. */
  readonly offsets: ReadonlyMap<number, number>;
  /** Size of the memory. */
  readonly bytes: number;
}

/** Rows of a cache line and of the widest vector. */
const ALIGNMENT = 256;

interface Block {
  readonly bytes: number;
  readonly first: number;
  last: number;
  offset: number;
}

/**
 * Gives every tensor a place by its lifetime: the largest first, each at the lowest offset free while it lives. Inputs live
 * from before the first step, results to after the last. An element-wise step may write over its first input when that
 * input dies there.
 */
export function placeInArena(program: Program): Layout {
  const blocks = lifetimes(program);
  const placed: Block[] = [];
  let bytes = 0;
  for (const block of [...new Set(blocks.values())].sort((a, b) => b.bytes - a.bytes || a.first - b.first)) {
    block.offset = lowestGap(block, placed);
    placed.push(block);
    placed.sort((a, b) => a.offset - b.offset);
    bytes = Math.max(bytes, block.offset + block.bytes);
  }
  const offsets = new Map<number, number>();
  for (const ref of program.refs) {
    const block = blocks.get(rootOf(program.views, ref.id));
    if (block) offsets.set(ref.id, block.offset);
  }
  return { offsets, bytes };
}

function lowestGap(block: Block, placed: readonly Block[]): number {
  let offset = 0;
  for (const other of placed) {
    const together = other.first <= block.last && block.first <= other.last;
    if (!together || other.offset + other.bytes <= offset) continue;
    if (other.offset >= offset + block.bytes) break;
    offset = other.offset + other.bytes;
  }
  return offset;
}

/** Root id → the block that holds it; tensors computed in place share their input's block. */
function lifetimes(program: Program): Map<number, Block> {
  const blocks = new Map<number, Block>();
  const last = lastReads(program);
  const birth = (ref: Ref, at: number): void => {
    const id = rootOf(program.views, ref.id);
    if (blocks.has(id) || isLasting(program.refs[id]!)) return;
    blocks.set(id, {
      bytes: roundUp(sizeOf(program.refs[id]!)),
      first: at,
      last: Math.max(at, last.get(id) ?? at),
      offset: 0,
    });
  };
  for (const ref of program.refs) if (ref.place.kind === 'input') birth(ref, -1);
  program.steps.forEach((step, at) => {
    const [x] = step.inputs;
    const [y] = step.outputs;
    if (step.inPlace && x && y?.place.kind === 'work') {
      const from = rootOf(program.views, x.id);
      const to = rootOf(program.views, y.id);
      const block = blocks.get(from);
      const dies = last.get(from) === at && program.refs[from]!.place.kind === 'work';
      if (block && dies && !blocks.has(to) && sizeOf(program.refs[from]!) === sizeOf(program.refs[to]!)) {
        block.last = Math.max(at, last.get(to) ?? at);
        blocks.set(to, block);
      }
    }
    for (const ref of step.outputs) if (ref) birth(ref, at);
  });
  return blocks;
}

/** Not in the arena, but in a memory that outlives the run. */
const isLasting = ({ place }: Ref): boolean => place.kind === 'state' || place.kind === 'kept';

/** Gives every kept tensor a place, one behind the other. */
export function placeKept(program: Program): Layout {
  const offsets = new Map<number, number>();
  let bytes = 0;
  for (const ref of program.refs) {
    if (ref.place.kind !== 'kept' || program.views.has(ref.id)) continue;
    offsets.set(ref.id, bytes);
    bytes += roundUp(sizeOf(ref));
  }
  return { offsets, bytes };
}

function lastReads(program: Program): Map<number, number> {
  const last = new Map<number, number>();
  program.steps.forEach((step, at) => {
    for (const ref of step.inputs) if (ref) last.set(rootOf(program.views, ref.id), at);
  });
  for (const ref of program.results) last.set(rootOf(program.views, ref.id), program.steps.length);
  return last;
}

export function sizeOf(ref: Ref): number {
  return count(ref.shape) * BYTES[ref.dtype];
}

export function roundUp(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}
