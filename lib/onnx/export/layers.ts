import { GraphError } from '../../errors.js';
import { batchNormOp } from '../../ops/batch-norm.js';
import { biasOp } from '../../ops/bias.js';
import { denseOp } from '../../ops/dense.js';
import { lrnOp } from '../../ops/lrn.js';
import { mvnOp } from '../../ops/mvn.js';
import { scaleOp } from '../../ops/scale.js';
import { softmaxOp } from '../../ops/softmax.js';
import { float, int, ints } from './model.js';
import { writer, type WriteSite } from './site.js';

function dense(site: WriteSite, axis: number, transpose: number): readonly string[] {
  const bias = site.has(2) ? [site.param(2)] : [];
  if (axis === 1) {
    const rows = site.shape(0).length === 2 ? site.x : site.step('Flatten', [site.x], [int('axis', 1)]);
    return site.last('Gemm', [rows, site.param(1), ...bias], [int('transB', transpose ? 0 : 1)]);
  }
  const keeps = Array.from({ length: axis }, () => 0);
  const rows = site.step('Reshape', [site.x, site.wholes([...keeps, -1])]);
  const weight = transpose ? site.param(1) : site.step('Transpose', [site.param(1)], [ints('perm', [1, 0])]);
  if (bias.length === 0) return site.last('MatMul', [rows, weight]);
  return site.last('Add', [site.step('MatMul', [rows, weight]), ...bias]);
}

/** A tensor that lies along axes [axis, axis + numAxes) of x, with an axis of 1 for each that follows. */
function along(site: WriteSite, index: number, axis: number, numAxes: number): string {
  const rank = site.shape(0).length;
  const behind = Array.from({ length: rank - axis - numAxes }, () => 1);
  if (index >= site.arity) return site.param(index, [...site.shape(0).slice(axis, axis + numAxes), ...behind]);
  if (behind.length === 0) return site.in(index);
  const axes = behind.map((_, i) => numAxes + i);
  return site.step('Unsqueeze', [site.in(index), site.wholes(axes)]);
}

/** ONNX has no mean-variance normalisation with its eps on the deviation: its steps. */
function mvn(site: WriteSite, acrossChannels: number, normalizeVariance: number, eps: number): readonly string[] {
  const rank = site.shape(0).length;
  const first = acrossChannels ? 1 : Math.min(2, rank);
  const axes = Array.from({ length: rank - first }, (_, i) => first + i);
  if (axes.length === 0) throw new GraphError('expected axes to take the mean of');
  const mean = (of: string): string => site.step('ReduceMean', [of], [ints('axes', axes), int('keepdims', 1)]);
  if (!normalizeVariance) return site.last('Sub', [site.x, mean(site.x)]);
  const centred = site.step('Sub', [site.x, mean(site.x)]);
  const deviation = site.step('Sqrt', [mean(site.step('Mul', [centred, centred]))]);
  return site.last('Div', [centred, site.step('Add', [deviation, site.floats([eps])])]);
}

/** x · (1 + alpha · mean of the squares around it)^−beta; pixels outside count as zero. */
function lrnWithin(site: WriteSite, size: number, alpha: number, beta: number): readonly string[] {
  const pad = (size - 1) / 2;
  const squares = site.step('Mul', [site.x, site.x]);
  const mean = site.step(
    'AveragePool',
    [squares],
    [ints('kernel_shape', [size, size]), ints('pads', [pad, pad, pad, pad]), int('count_include_pad', 1)],
  );
  const sum = site.step('Add', [site.step('Mul', [mean, site.floats([alpha])]), site.floats([1])]);
  return site.last('Mul', [site.x, site.step('Pow', [sum, site.floats([-beta])])]);
}

/** Layers that multiply by what was learned, or normalise. */
export const layerWriters = [
  writer(denseOp, (site, { axis, transpose }) => dense(site, axis, transpose)),
  writer(scaleOp, (site, { axis, numAxes }) => {
    const factor = along(site, 1, axis, numAxes);
    if (!site.has(2)) return site.last('Mul', [site.x, factor]);
    return site.last('Add', [site.step('Mul', [site.x, factor]), along(site, 2, axis, numAxes)]);
  }),
  writer(biasOp, (site, { axis, numAxes }) => site.last('Add', [site.x, along(site, 1, axis, numAxes)])),
  writer(batchNormOp, (site, { eps, useGlobalStats }) => {
    if (useGlobalStats === 0) throw new GraphError("ONNX's inference has no statistics of the batch");
    const channels = site.shape(1);
    const [total] = site.numbers(3);
    const part = (index: number): string =>
      site.floats(
        Float32Array.from(site.numbers(index), (v) => (total ? v / total : 0)),
        channels,
      );
    const filled = (value: number): string => site.floats(new Float32Array(channels[0]!).fill(value), channels);
    return site.last('BatchNormalization', [site.x, filled(1), filled(0), part(1), part(2)], [float('epsilon', eps)]);
  }),
  writer(mvnOp, (site, { acrossChannels, normalizeVariance, eps }) =>
    mvn(site, acrossChannels, normalizeVariance, eps),
  ),
  writer(lrnOp, (site, { within, localSize, alpha, beta, k }) =>
    within
      ? lrnWithin(site, localSize, alpha, beta)
      : site.last(
          'LRN',
          [site.x],
          [int('size', localSize), float('alpha', alpha), float('beta', beta), float('bias', k)],
        ),
  ),
  writer(softmaxOp, (site, { axis }) => site.last('Softmax', [site.x], [int('axis', axis)])),
] as const;
