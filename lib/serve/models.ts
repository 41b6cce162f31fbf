import { DisposedError, UsageError } from '../errors.js';
import { ServedModel, type ModelSettings } from './served-model.js';

/** Why no model of that name answers. */
export class UnknownModel extends UsageError {}

/** A model that is known and not loaded. */
export class NotLoaded extends DisposedError {}

interface Entry {
  readonly source: string;
  current: ServedModel | undefined;
  /** Why it is not loaded. */
  reason: string;
  /** Ends when loads so far have. */
  tail: Promise<unknown>;
}

/** The models of a server by their names. They are replaced while requests go on: those under way end with the old one. */
export class Models {
  readonly #entries = new Map<string, Entry>();

  /** @param sources Names and what `loadClassifier` would open, in the order of their listing. */
  constructor(
    sources: ReadonlyMap<string, string>,
    readonly settings: (name: string) => ModelSettings,
  ) {
    for (const [name, source] of sources)
      this.#entries.set(name, { source, current: undefined, reason: 'not loaded', tail: Promise.resolve() });
  }

  get names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  /** Whether it is loaded. @throws {UnknownModel} */
  isReady(name: string): boolean {
    return this.#entry(name).current !== undefined;
  }

  /** Why it is not loaded; empty when it is. @throws {UnknownModel} */
  reason(name: string): string {
    const { current, reason } = this.#entry(name);
    return current ? '' : reason;
  }

  /** @throws {UnknownModel | NotLoaded} */
  get(name: string): ServedModel {
    const { current, reason } = this.#entry(name);
    if (current) return current;
    throw new NotLoaded(`model ${name}: ${reason}`);
  }

  /** Lets work use a model, which lives as long as that takes. @throws {UnknownModel | NotLoaded} */
  async use<T>(name: string, work: (model: ServedModel) => Promise<T>): Promise<T> {
    const model = this.get(name);
    model.users++;
    try {
      return await work(model);
    } finally {
      model.users--;
      if (model.users === 0 && this.#entry(name).current !== model) model.dispose();
    }
  }

  /** Loads a model, anew where it is loaded; when that fails the old one stays. @throws what opening it throws */
  load(name: string): Promise<void> {
    return this.#next(name, async (entry) => {
      try {
        const made = await ServedModel.open(entry.source, this.settings(name));
        this.#replace(entry, made, '');
      } catch (error) {
        entry.reason = error instanceof Error ? error.message : String(error);
        throw error;
      }
    });
  }

  /** Requests under way end first. */
  unload(name: string): Promise<void> {
    return this.#next(name, (entry) => {
      this.#replace(entry, undefined, 'unloaded');
      return Promise.resolve();
    });
  }

  async unloadAll(): Promise<void> {
    await Promise.all(this.names.map((name) => this.unload(name)));
  }

  #replace(entry: Entry, model: ServedModel | undefined, reason: string): void {
    const old = entry.current;
    entry.current = model;
    entry.reason = reason;
    if (old?.users === 0) old.dispose();
  }

  /** Loads of one model follow each other. */
  #next(name: string, work: (entry: Entry) => Promise<void>): Promise<void> {
    const entry = this.#entry(name);
    const result = entry.tail.then(() => work(entry));
    entry.tail = result.catch(() => undefined);
    return result;
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name);
    if (entry) return entry;
    throw new UnknownModel(`model: expected one of ${this.names.join(', ')}, got "${name}"`);
  }
}
