import type { Value } from '../../graph.js';
import type { Attributes, Op } from '../../op.js';
import { absOp, bnllOp, clipOp, eluOp, expOp, logOp, powerOp, sigmoidOp, tanhOp } from '../../ops/activations.js';
import { eltwiseOp } from '../../ops/eltwise.js';
import { preluOp } from '../../ops/prelu.js';
import { reluOp } from '../../ops/relu.js';
import { count } from '../../shape.js';
import type { Reader, Site } from './site.js';

/** Bounds that no float32 lies beyond. */
const LARGEST = 3.4028234663852886e38;

/** A function of one element that is an op of ours under other names. */
const plain =
  <O extends object, A extends Attributes>(op: Op<O, A>, options: (site: Site) => O): Reader =>
  (site) => [site.add(op, [site.x], options(site))];

function bounds(site: Site): { min: number; max: number } {
  const [min = -LARGEST] = site.setting('min', 1) ?? [];
  const [max = LARGEST] = site.setting('max', 2) ?? [];
  return { min: Math.max(min, -LARGEST), max: Math.min(max, LARGEST) };
}

/** max(0, min(1, alpha x + beta)). */
function hardSigmoid(site: Site, alpha: number, beta: number, suffix: readonly [string, string]): Value {
  const line = site.add(powerOp, [site.x], { scale: alpha, shift: beta }, {}, suffix[0]);
  return site.add(clipOp, [line], { min: 0, max: 1 }, {}, suffix[1]);
}

function prelu(site: Site): readonly Value[] {
  const { x } = site;
  const slope = site.constant(1);
  const channels = x.shape[1]!;
  const n = count(slope.shape);
  const alongChannels = n === channels && slope.shape.length === x.shape.length - 1 && slope.shape[0] === channels;
  if (n !== 1 && !alongChannels)
    throw site.error(`expected one slope, or one for each of ${channels} channels, got (${slope.shape.join(', ')})`);
  const channelShared = n === 1 && channels !== 1;
  return [site.add(preluOp, [x], { channelShared }, { slope: site.weight(slope, channelShared ? [] : [channels]) })];
}

/** gamma · (x above zero, alpha (e^x − 1) below). */
function selu(site: Site): readonly Value[] {
  const y = site.add(eluOp, [site.x], { alpha: site.float('alpha', 1.67326319217681884765625) }, {}, '.elu');
  return [site.add(powerOp, [y], { scale: site.float('gamma', 1.05070102214813232421875) })];
}

function softsign(site: Site): readonly Value[] {
  const size = site.add(absOp, [site.x], {}, {}, '.abs');
  const inverse = site.add(powerOp, [size], { power: -1, shift: 1 }, {}, '.inverse');
  return [site.add(eltwiseOp, [site.x, inverse], { operation: 'prod' })];
}

/** Functions of one element. */
export const pointwiseReaders: Readonly<Record<string, Reader>> = {
  Relu: plain(reluOp, () => ({})),
  LeakyRelu: plain(reluOp, (site) => ({ slope: site.float('alpha', 0.01) })),
  PRelu: prelu,
  Elu: plain(eluOp, (site) => ({ alpha: site.float('alpha', 1) })),
  Selu: selu,
  Sigmoid: plain(sigmoidOp, () => ({})),
  HardSigmoid: (site) => [hardSigmoid(site, site.float('alpha', 0.2), site.float('beta', 0.5), ['.line', ''])],
  HardSwish: (site) => [
    site.add(eltwiseOp, [site.x, hardSigmoid(site, 1 / 6, 0.5, ['.line', '.gate'])], { operation: 'prod' }),
  ],
  Tanh: plain(tanhOp, () => ({})),
  Softplus: plain(bnllOp, () => ({})),
  Softsign: softsign,
  Abs: plain(absOp, () => ({})),
  Neg: plain(powerOp, () => ({ scale: -1 })),
  Reciprocal: plain(powerOp, () => ({ power: -1 })),
  Sqrt: plain(powerOp, () => ({ power: 0.5 })),
  Exp: plain(expOp, () => ({})),
  Log: plain(logOp, () => ({})),
  Clip: plain(clipOp, bounds),
};
