import type { Value } from '../../graph.js';
import type { Layer } from '../schema.js';

type Multiplier = 'lr_mult' | 'decay_mult';

/** Parameters that have a name: the first layer that names one owns it, every layer that names it may set its multipliers. */
export class SharedParameters {
  readonly #owned = new Map<string, Value>();
  readonly #multipliers = new Map<string, number>();

  constructor(layers: readonly Layer[]) {
    for (const param of layers.flatMap((layer) => layer.param)) {
      for (const kind of ['lr_mult', 'decay_mult'] as const) {
        const [value, key] = [param[kind], `${kind} ${param.name ?? ''}`];
        if (value !== undefined && !this.#multipliers.has(key)) this.#multipliers.set(key, value);
      }
    }
  }

  /** The owner's parameter of that name, if a layer has made it. */
  find(name: string): Value | undefined {
    return this.#owned.get(name);
  }

  own(name: string, value: Value): void {
    if (!this.#owned.has(name)) this.#owned.set(name, value);
  }

  /** What the first layer that says anything of it says; 1 when none does. */
  multiplier(name: string, kind: Multiplier): number {
    return this.#multipliers.get(`${kind} ${name}`) ?? 1;
  }
}
