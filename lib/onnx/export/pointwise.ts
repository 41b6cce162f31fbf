import {
  absOp,
  bnllOp,
  clipOp,
  eluOp,
  expOp,
  logOp,
  powerOp,
  sigmoidOp,
  tanhOp,
  thresholdOp,
} from '../../ops/activations.js';
import { eltwiseOp } from '../../ops/eltwise.js';
import { preluOp } from '../../ops/prelu.js';
import { reluOp } from '../../ops/relu.js';
import { swishOp } from '../../ops/swish.js';
import { float, int } from './model.js';
import { writer, type WriteSite } from './site.js';

/** Steps of arithmetic with a number, those that change nothing left out; the last one is the node's result. */
type Step = readonly [type: 'Add' | 'Mul' | 'Pow', value: number] | readonly [type: 'Exp' | 'Log'];

function steps(site: WriteSite, list: readonly Step[]): readonly string[] {
  const telling = list.filter(([type, value]) => value !== (type === 'Add' ? 0 : 1));
  const inputs = (from: string, [, value]: Step): string[] =>
    value === undefined ? [from] : [from, site.floats([value])];
  const last = telling.pop();
  const before = telling.reduce((from, step) => site.step(step[0], inputs(from, step)), site.x);
  return last ? site.last(last[0], inputs(before, last)) : site.last('Identity', [before]);
}

function eltwise(site: WriteSite, operation: number, coefficients: readonly number[]): readonly string[] {
  const inputs = coefficients.map((_, i) => site.in(i));
  if (operation === 2) return site.last('Max', inputs);
  if (operation === 1) {
    const [first, ...others] = inputs;
    if (others.length === 0) return site.last('Identity', [first!]);
    const all = others.slice(0, -1).reduce((product, each) => site.step('Mul', [product, each]), first!);
    return site.last('Mul', [all, others.at(-1)!]);
  }
  const scaled = inputs.map((name, i) => {
    const c = coefficients[i]!;
    return c === 1 ? name : site.step('Mul', [name, site.floats([c])]);
  });
  return site.last('Sum', scaled);
}

/** Functions of one element, and of several at one place. */
export const pointwiseWriters = [
  writer(reluOp, (site, { slope }) =>
    slope === 0 ? site.last('Relu', [site.x]) : site.last('LeakyRelu', [site.x], [float('alpha', slope)]),
  ),
  writer(sigmoidOp, (site) => site.last('Sigmoid', [site.x])),
  writer(tanhOp, (site) => site.last('Tanh', [site.x])),
  writer(absOp, (site) => site.last('Abs', [site.x])),
  writer(bnllOp, (site) => site.last('Softplus', [site.x])),
  writer(eluOp, (site, { alpha }) => site.last('Elu', [site.x], [float('alpha', alpha)])),
  writer(clipOp, (site, { min, max }) => site.last('Clip', [site.x, site.floats([min]), site.floats([max])])),
  writer(powerOp, (site, { power, scale, shift }) =>
    steps(site, [
      ['Mul', scale],
      ['Add', shift],
      ['Pow', power],
    ]),
  ),
  writer(expOp, (site, { inner, outer }) => steps(site, [['Mul', inner], ['Exp'], ['Mul', outer]])),
  writer(logOp, (site, { scale, shift, outer }) =>
    steps(site, [['Mul', scale], ['Add', shift], ['Log'], ['Mul', outer]]),
  ),
  writer(thresholdOp, (site, { threshold }) => {
    const above = site.step('Greater', [site.x, site.floats([threshold])]);
    return site.last('Cast', [above], [int('to', 1)]);
  }),
  writer(swishOp, (site, { beta }) => {
    const inner = beta === 1 ? site.x : site.step('Mul', [site.x, site.floats([beta])]);
    return site.last('Mul', [site.x, site.step('Sigmoid', [inner])]);
  }),
  writer(preluOp, (site, { shared }) => {
    const rank = site.shape(0).length;
    const ones = Array.from({ length: rank - 2 }, () => 1);
    return site.last('PRelu', [site.x, site.param(1, shared ? [1] : [site.shape(0)[1]!, ...ones])]);
  }),
  writer(eltwiseOp, (site, { operation, coefficients }) => eltwise(site, operation, coefficients)),
] as const;
