import { DisposedError, UsageError } from '../errors.js';
import { ServedModel, type ModelSettings } from './served-model.js';
import { ONLY, versionsOf } from './versions.js';

/** Why no model of that name and version answers. */
export class UnknownModel extends UsageError {}

/** A model that is known and not loaded. */
export class NotLoaded extends DisposedError {}

/** A version of a model. */
interface Entry {
  current: ServedModel | undefined;
  /** Why it is not loaded. */
  reason: string;
}

interface Versions {
  readonly source: string;
  /** The newest first. */
  entries: ReadonlyMap<string, Entry>;
  /** Ends when loads so far have. */
  tail: Promise<unknown>;
}

const unloaded = (reason: string): Entry => ({ current: undefined, reason });

/**
 * The models of a server by their names and versions; without a version the newest is meant. They are replaced while requests
 * go on: those under way end with the old one.
 */
export class Models {
  readonly #models = new Map<string, Versions>();

  /** @param sources Names and what `loadClassifier` would open, or folders of versions, in the order of their listing. */
  constructor(
    sources: ReadonlyMap<string, string>,
    readonly settings: (name: string) => ModelSettings,
  ) {
    for (const [name, source] of sources) {
      const entries = new Map([[ONLY, unloaded('not loaded')]]);
      this.#models.set(name, { source, entries, tail: Promise.resolve() });
    }
  }

  get names(): readonly string[] {
    return [...this.#models.keys()];
  }

  /** Those of a model, the newest first. @throws {UnknownModel} */
  versions(name: string): readonly string[] {
    return [...this.#model(name).entries.keys()];
  }

  /** Whether it is loaded. @throws {UnknownModel} */
  isReady(name: string, version?: string): boolean {
    return this.#entry(name, version).current !== undefined;
  }

  /** Why it is not loaded; empty when it is. @throws {UnknownModel} */
  reason(name: string, version?: string): string {
    const { current, reason } = this.#entry(name, version);
    return current ? '' : reason;
  }

  /** Requests of all versions that are being answered. @throws {UnknownModel} */
  users(name: string): number {
    return [...this.#model(name).entries.values()].reduce((sum, { current }) => sum + (current?.users ?? 0), 0);
  }

  /** @throws {UnknownModel | NotLoaded} */
  get(name: string, version?: string): ServedModel {
    const { current, reason } = this.#entry(name, version);
    if (current) return current;
    throw new NotLoaded(`model ${name}: ${reason}`);
  }

  /** Lets work use a model, which lives as long as that takes. @throws {UnknownModel | NotLoaded} */
  async use<T>(name: string, version: string | undefined, work: (model: ServedModel) => Promise<T>): Promise<T> {
    const model = this.get(name, version);
    model.users++;
    try {
      return await work(model);
    } finally {
      model.users--;
      if (model.users === 0 && this.#isOld(name, model)) model.dispose();
    }
  }

  /**
   * Loads all versions that a model has now, anew where they are loaded; one that cannot be loaded stays what it was.
   * @throws what opening the first of those throws, when all others are loaded
   */
  load(name: string): Promise<void> {
    return this.#next(name, async (model) => {
      const sources = await versionsOf(model.source);
      const gone = [...model.entries].filter(([version]) => !sources.has(version));
      model.entries = new Map([...sources.keys()].map((v) => [v, model.entries.get(v) ?? unloaded('not loaded')]));
      for (const [, entry] of gone) replace(entry, undefined, 'not there any more');
      const failed: unknown[] = [];
      for (const [version, source] of sources) {
        const entry = model.entries.get(version)!;
        try {
          const made = await ServedModel.open(source, this.settings(name), version);
          replace(entry, made, '');
        } catch (error) {
          entry.reason = error instanceof Error ? error.message : String(error);
          failed.push(error);
        }
      }
      if (failed.length > 0) throw failed[0];
    });
  }

  /** Requests under way end first. */
  unload(name: string): Promise<void> {
    return this.#next(name, (model) => {
      for (const entry of model.entries.values()) replace(entry, undefined, 'unloaded');
      return Promise.resolve();
    });
  }

  async unloadAll(): Promise<void> {
    await Promise.all(this.names.map((name) => this.unload(name)));
  }

  #isOld(name: string, model: ServedModel): boolean {
    return ![...this.#model(name).entries.values()].some(({ current }) => current === model);
  }

  /** Loads of one model follow each other. */
  #next(name: string, work: (model: Versions) => Promise<void>): Promise<void> {
    const model = this.#model(name);
    const result = model.tail.then(() => work(model));
    model.tail = result.catch(() => undefined);
    return result;
  }

  #model(name: string): Versions {
    const model = this.#models.get(name);
    if (model) return model;
    throw new UnknownModel(`model: expected one of ${this.names.join(', ')}, got "${name}"`);
  }

  #entry(name: string, version: string | undefined): Entry {
    const { entries } = this.#model(name);
    const [newest] = entries.keys();
    const entry = entries.get(version ?? newest!);
    if (entry) return entry;
    throw new UnknownModel(`model ${name}: expected version ${[...entries.keys()].join(', ')}, got "${version}"`);
  }
}

function replace(entry: Entry, model: ServedModel | undefined, reason: string): void {
  const old = entry.current;
  entry.current = model;
  entry.reason = reason;
  if (old?.users === 0) old.dispose();
}
