import { constant, type Filler } from '../fillers.js';
import type { GraphBuilder, LayerOptions, Value } from '../graph.js';
import { defineOp } from '../op.js';
import type { Shape } from '../shape.js';

/** What `parameter` takes besides values and a name. */
export interface ParameterLayerOptions {
  readonly shape: Shape;
  /** First values. Default 0. */
  readonly filler?: Filler;
}

/** A learnable tensor as a value of its own: Caffe's Parameter layer. */
export const parameterOp = defineOp({
  name: 'parameter',
  attributes: (_: ParameterLayerOptions) => ({}),
  parameters: (_, __, { shape, filler = constant(0) }) => [{ name: 'weight', shape, filler }],
  outputs: ([weight]) => [{ shape: weight! }],
  forward: (e) => e.alias(0, e.inputs[0]!),
  backward: (e) => [e.dy],
});

/** A learnable tensor as a value: its parameter is `weight`. It has no input, so the graph's builder is named. @throws {ShapeError} */
export function parameter(builder: GraphBuilder, options: ParameterLayerOptions & LayerOptions): Value {
  return builder.add(parameterOp, [], options)[0]!;
}
