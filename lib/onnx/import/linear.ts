import type { Value } from '../../graph.js';
import { denseOp } from '../../ops/dense.js';
import { count } from '../../shape.js';
import type { Constant } from './items.js';
import type { Reader, Site } from './site.js';

/** alpha · x · W + beta · C. */
function gemm(site: Site): readonly Value[] {
  const { x } = site;
  const weight = matrix(site, site.constant(1));
  const [alpha, beta] = [site.float('alpha', 1), site.float('beta', 1)];
  if (site.int('transA', 0) !== 0) throw site.error('transA is not supported');
  const transpose = site.int('transB', 0) === 0;
  const units = weight.shape[transpose ? 1 : 0]!;
  const bias = site.has(2) ? spread(site, site.constant(2), units) : undefined;
  const times = (factor: number): ((value: number) => number) | undefined =>
    factor === 1 ? undefined : (value) => value * factor;
  const weights = {
    weight: site.weight(weight, weight.shape, times(alpha)),
    ...(bias && { bias: site.weight(bias, [units], times(beta)) }),
  };
  return [site.add(denseOp, [x], { units, transpose, bias: bias !== undefined }, weights)];
}

function matrix(site: Site, weight: Constant): Constant {
  if (weight.shape.length === 2) return weight;
  throw site.error(`expected a weight of two axes, got (${weight.shape.join(', ')})`);
}

/** One number for each unit; a single one is repeated. */
function spread(site: Site, bias: Constant, units: number): Constant {
  const n = count(bias.shape);
  if (n === units && bias.shape.at(-1) === n) return bias;
  if (n !== 1) throw site.error(`expected a bias (${units}), got (${bias.shape.join(', ')})`);
  const [value] = bias.numbers();
  const data = Float32Array.from({ length: units }, () => value!);
  const raw = { dtype: 'float32', shape: [units], bytes: new Uint8Array(data.buffer) } as const;
  return bias.derive(raw, () => raw);
}

/** Rows of x times a constant matrix. */
function matMul(site: Site): readonly Value[] {
  const { x } = site;
  const weight = matrix(site, site.constant(1));
  const options = { units: weight.shape[1]!, axis: x.shape.length - 1, transpose: true, bias: false };
  return [site.add(denseOp, [x], options, { weight: site.weight(weight) })];
}

/** Layers that multiply by a matrix. */
export const linearReaders: Readonly<Record<string, Reader>> = { Gemm: gemm, MatMul: matMul };
