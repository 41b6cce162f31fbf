import * as ops from '../../ops/activations.js';
import { eltwiseOp } from '../../ops/eltwise.js';
import { reluOp } from '../../ops/relu.js';
import { swishOp } from '../../ops/swish.js';
import {
  ELUParameter,
  EltwiseParameter,
  ExpParameter,
  filled,
  LogParameter,
  PowerParameter,
  ReLUParameter,
  SwishParameter,
  ThresholdParameter,
} from '../schema.js';
import { writer, type Family } from './family.js';

const ELTWISE = { SUM: 'sum', PROD: 'prod', MAX: 'max' } as const;
const ELTWISE_BACK = { sum: 'SUM', prod: 'PROD', max: 'MAX' } as const;

export const pointwiseFamily: Family = {
  readers: {
    ReLU: (site) =>
      site.add(reluOp, site.takes(1), { slope: filled(ReLUParameter, site.layer.relu_param).negative_slope }),
    Sigmoid: (site) => site.add(ops.sigmoidOp, site.takes(1), {}),
    TanH: (site) => site.add(ops.tanhOp, site.takes(1), {}),
    AbsVal: (site) => site.add(ops.absOp, site.takes(1), {}),
    BNLL: (site) => site.add(ops.bnllOp, site.takes(1), {}),
    ELU: (site) => site.add(ops.eluOp, site.takes(1), { alpha: filled(ELUParameter, site.layer.elu_param).alpha }),
    Power: (site) => site.add(ops.powerOp, site.takes(1), filled(PowerParameter, site.layer.power_param)),
    Exp: (site) => site.add(ops.expOp, site.takes(1), filled(ExpParameter, site.layer.exp_param)),
    Log: (site) => site.add(ops.logOp, site.takes(1), filled(LogParameter, site.layer.log_param)),
    Swish: (site) => site.add(swishOp, site.takes(1), { beta: filled(SwishParameter, site.layer.swish_param).beta }),
    Threshold: (site) =>
      site.add(ops.thresholdOp, site.takes(1), filled(ThresholdParameter, site.layer.threshold_param)),
    Clip(site) {
      if (!site.layer.clip_param) throw site.error('expected clip_param with min and max');
      return site.add(ops.clipOp, site.takes(1), site.layer.clip_param);
    },
    Eltwise(site) {
      const { operation, coeff, stable_prod_grad } = filled(EltwiseParameter, site.layer.eltwise_param);
      const coefficients = coeff.length > 0 ? { coefficients: coeff } : {};
      return site.add(eltwiseOp, site.takes(2, Infinity), {
        operation: ELTWISE[operation],
        stableGradient: stable_prod_grad,
        ...coefficients,
      });
    },
  },
  writers: {
    ...writer(reluOp, (_, { slope }) => ({
      type: 'ReLU',
      ...(slope !== 0 && { relu_param: { negative_slope: slope } }),
    })),
    ...writer(ops.sigmoidOp, () => ({ type: 'Sigmoid' })),
    ...writer(ops.tanhOp, () => ({ type: 'TanH' })),
    ...writer(ops.absOp, () => ({ type: 'AbsVal' })),
    ...writer(ops.bnllOp, () => ({ type: 'BNLL' })),
    ...writer(ops.eluOp, (_, { alpha }) => ({ type: 'ELU', elu_param: { alpha } })),
    ...writer(ops.powerOp, (_, { power, scale, shift }) => ({ type: 'Power', power_param: { power, scale, shift } })),
    ...writer(ops.expOp, ({ base = -1, scale = 1, shift = 0 }) => ({ type: 'Exp', exp_param: { base, scale, shift } })),
    ...writer(ops.logOp, ({ base = -1, scale = 1, shift = 0 }) => ({ type: 'Log', log_param: { base, scale, shift } })),
    ...writer(ops.thresholdOp, (_, { threshold }) => ({ type: 'Threshold', threshold_param: { threshold } })),
    ...writer(swishOp, (_, { beta }) => ({ type: 'Swish', swish_param: { beta } })),
    ...writer(ops.clipOp, (_, { min, max }) => ({ type: 'Clip', clip_param: { min, max } })),
    ...writer(eltwiseOp, ({ operation = 'sum', coefficients = [], stableGradient = true }) => ({
      type: 'Eltwise',
      eltwise_param: {
        operation: ELTWISE_BACK[operation],
        coeff: [...coefficients],
        ...(!stableGradient && { stable_prod_grad: false }),
      },
    })),
  },
};
