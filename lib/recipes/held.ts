/** What has been opened so far, to be closed together, the last first. */
export class Held implements AsyncDisposable {
  readonly #things: (AsyncDisposable | Disposable)[] = [];

  add<T extends AsyncDisposable | Disposable>(thing: T): T {
    this.#things.push(thing);
    return thing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const thing of this.#things.reverse()) {
      if (Symbol.asyncDispose in thing) await thing[Symbol.asyncDispose]();
      else thing[Symbol.dispose]();
    }
  }
}
