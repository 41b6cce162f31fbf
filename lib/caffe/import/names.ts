import type { Layer } from '../schema.js';

/** Gives nodes and values names that a graph can tell apart, as near to the file's as can be. */
export class Names {
  readonly #nodes: Set<string>;
  readonly #values: Set<string>;

  constructor(inputs: readonly string[]) {
    this.#nodes = new Set(inputs);
    this.#values = new Set(inputs);
  }

  /** The layer's name; a second layer of that name gets a number. */
  node(name: string): string {
    return claim(this.#nodes, [name || 'layer']);
  }

  /**
   * Names for the tops of a layer: those of the blobs, but where a blob has been made before (by the layer that an
   * in-place layer works on) that of the layer.
   */
  values(layer: Layer, node: string): string[] {
    const tops = layer.top.length > 0 ? layer.top : [node];
    return tops.map((top, i) => claim(this.#values, [top, tops.length > 1 ? `${node}.${i}` : node]));
  }
}

function claim(taken: Set<string>, wishes: readonly string[]): string {
  let name = wishes.find((wish) => !taken.has(wish));
  for (let i = 2; name === undefined; i++) {
    const numbered = `${wishes.at(-1) ?? ''}#${i}`;
    if (!taken.has(numbered)) name = numbered;
  }
  taken.add(name);
  return name;
}
