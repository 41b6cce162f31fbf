import type { Item, Reader } from '../dataset.js';

/** A reader of items that are at hand: each is its own ref. */
export function openReader(): Reader<Item> {
  return { read: (item) => item, close() {} };
}
