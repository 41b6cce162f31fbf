import { constant } from '../fillers.js';
import { layer, type LayerOptions, type Value } from '../graph.js';
import { defineOp } from '../op.js';
import { check, count, format } from '../shape.js';

/** What `prelu` takes besides values and a name. */
export interface PreluOptions {
  /** One slope for all channels. Default false. */
  readonly channelShared?: boolean;
}

/** max(x, 0) + slope · min(x, 0) with learned slopes (He et al. 2015): prelu_layer.cpp. At exactly 0 the slope counts. */
export const preluOp = defineOp({
  name: 'prelu',
  attributes({ channelShared = false }: PreluOptions, [x]) {
    check(x !== undefined && x.length >= 2, () => `expected an input (N, C, …), got ${format(x ?? [])}`);
    return { shared: channelShared ? 1 : 0 };
  },
  parameters: ([x], { shared }) => [{ name: 'slope', shape: shared ? [] : [x![1]!], filler: constant(0.25) }],
  outputs([x, slope], { shared }) {
    const size = shared ? 1 : x![1]!;
    check(
      slope !== undefined && count(slope) === size,
      () => `expected ${shared ? 'one slope' : `slope (${size})`}, got ${format(slope ?? [])}`,
    );
    return [{ shape: x! }];
  },
  forward: (e) => e.run('prelu', e.inputs, e.outputs, {}, true),
  backward(e) {
    const [x, slope] = e.inputs;
    const dx = e.wants(0) ? e.temp(x!.shape) : undefined;
    const dslope = e.wants(1) ? e.temp(slope!.shape) : undefined;
    e.run('prelu_grad', [e.dy, x, slope], [dx, dslope], {});
    return [dx, dslope];
  },
  flops: ([x]) => count(x!),
});

/** Parametric ReLU of `x` (N, C, …). Parameter: `slope` (C), or a scalar with `channelShared`; 0.25 at first. @throws {ShapeError} */
export function prelu(x: Value, options: PreluOptions & LayerOptions = {}): Value {
  return layer(preluOp, [x], options)[0]!;
}
