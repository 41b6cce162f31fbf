import type { Value } from '../../graph.js';
import { logOp } from '../../ops/activations.js';
import { batchNormOp } from '../../ops/batch-norm.js';
import { dropoutOp } from '../../ops/dropout.js';
import { lrnOp } from '../../ops/lrn.js';
import { reshapeOp } from '../../ops/reshape.js';
import { scaleOp } from '../../ops/scale.js';
import { softmaxOp } from '../../ops/softmax.js';
import { fromTensor } from '../../formats/elements.js';
import { Constant } from './items.js';
import type { Reader, Site } from './site.js';

const ONE = Constant.of('one', fromTensor({ data: Float32Array.of(1), shape: [1] }));

/** Ours keeps sums of statistics and their number; the learned factor and offset are a layer of their own. */
function batchNormalization(site: Site): readonly Value[] {
  const { x } = site;
  if (site.int('training_mode', 0) === 1 || site.node.output.slice(1).some((name) => name !== ''))
    throw site.error('training mode is not supported; export the net for inference');
  if (site.int('spatial', 1) === 0) throw site.error('spatial = 0 is not supported');
  const channels = [x.shape[1] ?? 1];
  const [factor, offset, mean, variance] = [1, 2, 3, 4].map((i) => site.constant(i));
  const options = { eps: site.float('epsilon', 1e-5), movingAverageFraction: site.float('momentum', 0.9) };
  const normalized = site.add(
    batchNormOp,
    [x],
    options,
    { mean: site.weight(mean!, channels), variance: site.weight(variance!, channels), factor: site.weight(ONE) },
    '.statistics',
  );
  const weights = { weight: site.weight(factor!, channels), bias: site.weight(offset!, channels) };
  return [site.add(scaleOp, [normalized], { axis: 1, bias: true }, weights)];
}

function localResponse(site: Site): readonly Value[] {
  const localSize = site.int('size', 0);
  const [alpha, beta, k] = [site.float('alpha', 1e-4), site.float('beta', 0.75), site.float('bias', 1)];
  return [site.add(lrnOp, [site.x], { localSize, alpha, beta, k })];
}

/**
 * Before version 13 all axes from `axis` (default 1) on count as one; since then `axis` (default the last) is the only one.
 */
function softmax(site: Site, suffix = ''): Value {
  const { x } = site;
  const rank = x.shape.length;
  const axis = site.axis(site.int('axis', site.opset < 13 ? 1 : -1), rank);
  const joined = site.opset < 13 && x.shape.slice(axis + 1).some((extent) => extent !== 1);
  if (!joined) return site.add(softmaxOp, [x], { axis }, {}, suffix);
  const flat = site.add(reshapeOp, [x], { dims: [-1], axis }, {}, '.flat');
  const y = site.add(softmaxOp, [flat], { axis }, {}, '.joined');
  return site.add(reshapeOp, [y], { dims: x.shape.slice(axis), axis }, {}, suffix);
}

/** Layers that normalise, and dropout, which an exported net no longer does. */
export const normalizeReaders: Readonly<Record<string, Reader>> = {
  BatchNormalization: batchNormalization,
  LRN: localResponse,
  Softmax: (site) => [softmax(site)],
  LogSoftmax: (site) => [site.add(logOp, [softmax(site, '.softmax')], {})],
  Dropout(site) {
    if (site.node.output[1]) throw site.error('the second output (mask) is not supported');
    return [site.add(dropoutOp, [site.x], { ratio: site.setting('ratio', 1)?.[0] ?? 0.5 })];
  },
};
