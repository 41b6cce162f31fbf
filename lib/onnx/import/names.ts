/** Gives the nodes of a graph names that it can tell apart, as near to the file's as can be. */
export class Names {
  readonly #taken: Set<string>;

  constructor(taken: Iterable<string>) {
    this.#taken = new Set(taken);
  }

  claim(wish: string): string {
    let name = wish;
    for (let i = 2; this.#taken.has(name) || name === '__proto__'; i++) name = `${wish}#${i}`;
    this.#taken.add(name);
    return name;
  }
}
