/**
 * The file of an LMDB environment, format 1, as 64-bit little-endian machines write it (liblmdb/mdb.c of LMDB 0.9, which
 * Caffe uses). Read and written here rather than by the library, for three reasons: the library maps the file into
 * memory, so that a database cut short ends the process; npm's bindings of later versions cannot read format 1; and a
 * file that is only read needs neither a lock file nor a writable folder.
 *
 * A file is a row of pages. Pages 0 and 1 are metas, of which the one of the later transaction counts; the others form a
 * B+ tree with the keys in the order of their bytes. Values too large for a page of the tree lie on pages of their own.
 */

export const MAGIC = 0xbeefc0de;
export const VERSION = 1;
/** Bytes before the content of a page: its number (8), padding (2), flags (2), where free space begins and ends (2 + 2). */
export const PAGE_HEADER = 16;
/** Bytes before the key of a node: of a leaf, size of the value (4), flags (2), size of the key (2); of a branch, page (6), size of the key (2). */
export const NODE_HEADER = 8;
export const MOST_KEY = 511;
/** In place of a root: no pages. */
export const NO_PAGE = 2n ** 64n - 1n;

export const PAGE = { branch: 0x01, leaf: 0x02, overflow: 0x04, meta: 0x08 } as const;
/** Set in memory only, but some versions write it. */
export const DIRTY = 0x10;
/** Of a node of a leaf: the value lies on pages of its own. */
export const BIG = 0x01;

/** Offsets in a meta page. */
export const META = {
  magic: 16,
  version: 20,
  mapSize: 32,
  free: 40,
  main: 88,
  lastPage: 136,
  txn: 144,
  end: 152,
} as const;
/** Offsets in the description of a tree. The free tree's `pad` is the size of a page. */
export const TREE = {
  pad: 0,
  flags: 4,
  depth: 6,
  branches: 8,
  leaves: 16,
  overflows: 24,
  entries: 32,
  root: 40,
} as const;

/** Largest node of a leaf: two have to fit a page. */
export function mostNode(pageSize: number): number {
  return ((pageSize - PAGE_HEADER) >> 1) & -2;
}

/** Pages that a value on pages of its own takes. */
export function pagesOf(size: number, pageSize: number): number {
  return Math.floor((PAGE_HEADER - 1 + size) / pageSize) + 1;
}
