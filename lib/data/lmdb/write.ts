import { open, type FileHandle } from 'node:fs/promises';
import { UsageError } from '../../errors.js';
import {
  BIG,
  MAGIC,
  META,
  MOST_KEY,
  mostNode,
  NODE_HEADER,
  NO_PAGE,
  PAGE,
  PAGE_HEADER,
  pagesOf,
  TREE,
  VERSION,
} from './format.js';

const PAGE_SIZE = 4096;
/** Of the free tree: keys are numbers. */
const INTEGER_KEY = 0x08;
/** Bytes gathered before they are written. */
const GATHERED = 1 << 20;
const MEBIBYTE = 1 << 20;
const EMPTY = Buffer.alloc(0);

/** A page of the tree and the first key below it. */
interface Child {
  readonly key: Buffer;
  readonly page: number;
}

/** What one page of the tree holds. */
interface Node {
  readonly key: Buffer;
  /** The eight bytes before the key. */
  readonly header: Buffer;
  /** What lies behind the key. */
  readonly data: Buffer;
}

/**
 * Writes an LMDB file with one database from records in the order of their keys: the tree grows from the leaves up, and
 * the metas are written last, so that a file whose writing was cut off is no LMDB at all.
 */
export class LmdbWriter {
  readonly #leaves: Child[] = [];
  #nodes: Node[] = [];
  #room = PAGE_SIZE - PAGE_HEADER;
  #pages = 2;
  #overflows = 0;
  #entries = 0;
  #last: Buffer | undefined;
  #pending: Buffer[] = [Buffer.alloc(2 * PAGE_SIZE)];
  #pendingBytes = 2 * PAGE_SIZE;
  #written = 0;

  private constructor(readonly handle: FileHandle) {}

  /** Creates the file, replacing one that is there. */
  static async create(file: string): Promise<LmdbWriter> {
    return new LmdbWriter(await open(file, 'w'));
  }

  /** @throws {UsageError} for a key that does not come behind the last one in the order of bytes, or is too long */
  async append(key: Buffer, value: Uint8Array): Promise<void> {
    if (key.length === 0 || key.length > MOST_KEY || (this.#last && Buffer.compare(this.#last, key) >= 0)) {
      throw new UsageError(
        `LMDB: expected keys of 1 to ${MOST_KEY} bytes in ascending order, got "${key.toString()}" behind "${this.#last?.toString() ?? ''}"`,
      );
    }
    this.#last = key;
    this.#entries++;
    const big = NODE_HEADER + key.length + value.length > mostNode(PAGE_SIZE);
    const header = Buffer.alloc(NODE_HEADER);
    header.writeUInt32LE(value.length, 0);
    header.writeUInt16LE(big ? BIG : 0, 4);
    header.writeUInt16LE(key.length, 6);
    const node = { key, header, data: big ? this.#apart(value) : Buffer.from(value) };
    if (sizeOf(node) > this.#room) this.#endLeaf();
    this.#nodes.push(node);
    this.#room -= sizeOf(node);
    if (this.#pendingBytes >= GATHERED) await this.#flush();
  }

  /** Ends the file: what has been appended is safe on the disk when this returns. */
  async finish(): Promise<void> {
    if (this.#nodes.length > 0) this.#endLeaf();
    let depth = this.#leaves.length > 0 ? 1 : 0;
    let level: readonly Child[] = this.#leaves;
    let branches = 0;
    for (; level.length > 1; depth++) {
      const pages = grouped(level);
      branches += pages.length;
      level = pages.map((children) => ({ key: children[0]!.key, page: this.#branch(children) }));
    }
    await this.#flush();
    const root = level[0]?.page;
    const counts = { depth, branches, leaves: this.#leaves.length, root };
    for (const number of [0, 1]) await this.handle.write(this.#meta(number, counts), 0, PAGE_SIZE, number * PAGE_SIZE);
    await this.handle.sync();
    await this.close();
  }

  /** Closes the file as it is. */
  async close(): Promise<void> {
    await this.handle.close();
  }

  /** Writes a value on pages of its own and returns the number of the first. */
  #apart(value: Uint8Array): Buffer {
    const count = pagesOf(value.length, PAGE_SIZE);
    const pages = Buffer.alloc(count * PAGE_SIZE);
    pages.writeUInt16LE(PAGE.overflow, 10);
    pages.writeUInt32LE(count, 12);
    pages.set(value, PAGE_HEADER);
    this.#overflows += count;
    const number = Buffer.alloc(8);
    number.writeBigUInt64LE(BigInt(this.#add(pages)));
    return number;
  }

  #endLeaf(): void {
    const first = this.#nodes[0]!.key;
    this.#leaves.push({ key: first, page: this.#add(pageOf(PAGE.leaf, this.#nodes)) });
    this.#nodes = [];
    this.#room = PAGE_SIZE - PAGE_HEADER;
  }

  #branch(children: readonly Child[]): number {
    return this.#add(pageOf(PAGE.branch, children.map(branchNode)));
  }

  /** Gives pages their number and hands them on to be written. */
  #add(pages: Buffer): number {
    const number = this.#pages;
    pages.writeBigUInt64LE(BigInt(number), 0);
    this.#pages += pages.length / PAGE_SIZE;
    this.#pending.push(pages);
    this.#pendingBytes += pages.length;
    return number;
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    for (let at = 0; at < bytes.length;) {
      const { bytesWritten } = await this.handle.write(bytes, at, bytes.length - at, this.#written);
      at += bytesWritten;
      this.#written += bytesWritten;
    }
  }

  #meta(number: number, { depth, branches, leaves, root }: Counts): Buffer {
    const page = Buffer.alloc(PAGE_SIZE);
    page.writeBigUInt64LE(BigInt(number), 0);
    page.writeUInt16LE(PAGE.meta, 10);
    page.writeUInt32LE(MAGIC, META.magic);
    page.writeUInt32LE(VERSION, META.version);
    const bytes = this.#pages * PAGE_SIZE;
    page.writeBigUInt64LE(BigInt(Math.ceil(bytes / MEBIBYTE) * MEBIBYTE), META.mapSize);
    page.writeUInt32LE(PAGE_SIZE, META.free + TREE.pad);
    page.writeUInt16LE(INTEGER_KEY, META.free + TREE.flags);
    page.writeBigUInt64LE(NO_PAGE, META.free + TREE.root);
    // The first meta is that of the empty database before the one transaction.
    const empty = number === 0;
    const main = (value: number, offset: number): void => {
      page.writeBigUInt64LE(BigInt(empty ? 0 : value), META.main + offset);
    };
    page.writeUInt16LE(empty ? 0 : depth, META.main + TREE.depth);
    main(branches, TREE.branches);
    main(leaves, TREE.leaves);
    main(this.#overflows, TREE.overflows);
    main(this.#entries, TREE.entries);
    page.writeBigUInt64LE(empty || root === undefined ? NO_PAGE : BigInt(root), META.main + TREE.root);
    page.writeBigUInt64LE(BigInt(empty ? 1 : this.#pages - 1), META.lastPage);
    page.writeBigUInt64LE(BigInt(number), META.txn);
    return page;
  }
}

interface Counts {
  readonly depth: number;
  readonly branches: number;
  readonly leaves: number;
  readonly root: number | undefined;
}

/** Bytes of a node in a page, the pointer to it included; nodes begin at even bytes. */
function sizeOf({ key, data }: Node): number {
  return ((NODE_HEADER + key.length + data.length + 1) & -2) + 2;
}

function branchNode({ key, page }: Child, index: number): Node {
  // The first key of a branch is never looked at, and left out.
  const own = index === 0 ? EMPTY : key;
  const header = Buffer.alloc(NODE_HEADER);
  header.writeUIntLE(page, 0, 6);
  header.writeUInt16LE(own.length, 6);
  return { key: own, header, data: EMPTY };
}

/** Pages' worth of children, none with fewer than two: LMDB takes no branch with one. */
function grouped(level: readonly Child[]): Child[][] {
  const groups: Child[][] = [];
  let room = 0;
  for (const child of level) {
    const size = sizeOf(branchNode(child, 1));
    if (size > room) {
      groups.push([]);
      room = PAGE_SIZE - PAGE_HEADER;
    }
    groups.at(-1)!.push(child);
    room -= size;
  }
  if (groups.length > 1 && groups.at(-1)!.length === 1) groups.at(-1)!.unshift(groups.at(-2)!.pop()!);
  return groups;
}

/** Pointers grow from the front of a page, nodes from its end. */
function pageOf(kind: number, nodes: readonly Node[]): Buffer {
  const page = Buffer.alloc(PAGE_SIZE);
  let at = PAGE_SIZE;
  nodes.forEach((node, i) => {
    at -= sizeOf(node) - 2;
    page.writeUInt16LE(at, PAGE_HEADER + 2 * i);
    page.set(node.header, at);
    page.set(node.key, at + NODE_HEADER);
    page.set(node.data, at + NODE_HEADER + node.key.length);
  });
  page.writeUInt16LE(kind, 10);
  page.writeUInt16LE(PAGE_HEADER + 2 * nodes.length, 12);
  page.writeUInt16LE(at, 14);
  return page;
}
