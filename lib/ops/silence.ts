import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp } from '../op.js';

/** Takes values and gives none. */
export const silenceOp = defineOp({
  name: 'silence',
  attributes: (_: object) => ({}),
  outputs: () => [],
  forward: () => undefined,
});

/** Marks values as meant to be unused. Nothing is computed for it; it shows in tables and drawings. */
export function silence(inputs: readonly [Value, ...Value[]], options: LayerOptions = {}): void {
  layer(silenceOp, inputs, options);
}
