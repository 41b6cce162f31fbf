import { accuracyOp } from '../../ops/accuracy.js';
import { argmaxOp } from '../../ops/argmax.js';
import { contrastiveLossOp } from '../../ops/contrastive-loss.js';
import { euclideanLossOp } from '../../ops/euclidean-loss.js';
import { hingeLossOp } from '../../ops/hinge-loss.js';
import { infogainLossOp } from '../../ops/infogain-loss.js';
import type { LabelOptions, Normalization } from '../../ops/loss.js';
import { multinomialLossOp } from '../../ops/multinomial-loss.js';
import { sigmoidCrossEntropyLossOp } from '../../ops/sigmoid-cross-entropy-loss.js';
import { softmaxLossOp } from '../../ops/softmax-loss.js';
import { softmaxOp } from '../../ops/softmax.js';
import {
  AccuracyParameter,
  ArgMaxParameter,
  ContrastiveLossParameter,
  filled,
  SoftmaxParameter,
  type Layer,
} from '../schema.js';
import { writer, type Family } from './family.js';

const NORMALIZATION = { VALID: 'valid', BATCH_SIZE: 'batchSize', FULL: 'full', NONE: 'none' } as const;
const MESSAGES = { valid: 'VALID', batchSize: 'BATCH_SIZE', full: 'FULL', none: 'NONE' } as const;

/** Which labels count. The older `normalize` is asked only where `normalization` is silent: false means the batch. */
function labels({ loss_param }: Layer, otherwise: Normalization): LabelOptions {
  const { ignore_label, normalization, normalize } = loss_param ?? {};
  const legacy = normalize === undefined ? otherwise : normalize ? 'valid' : 'batchSize';
  return {
    normalization: normalization === undefined ? legacy : NORMALIZATION[normalization],
    ...(ignore_label !== undefined && { ignoreLabel: ignore_label }),
  };
}

function lossParam({ ignoreLabel, normalization }: LabelOptions, otherwise: Normalization): Pick<Layer, 'loss_param'> {
  if (ignoreLabel === undefined && (normalization ?? otherwise) === otherwise) return {};
  return {
    loss_param: {
      ...(ignoreLabel !== undefined && { ignore_label: ignoreLabel }),
      normalization: MESSAGES[normalization ?? otherwise],
    },
  };
}

/** The axis of the classes, said only where it is not Caffe's own. */
function axisParam(axis: number): Pick<Layer, 'softmax_param'> {
  return axis === 1 ? {} : { softmax_param: { axis } };
}

/** Probabilities, losses and what is counted of them. */
export const classifyFamily: Family = {
  readers: {
    Softmax: (site) =>
      site.add(softmaxOp, site.takes(1), { axis: filled(SoftmaxParameter, site.layer.softmax_param).axis }),
    SoftmaxWithLoss(site) {
      const { axis } = filled(SoftmaxParameter, site.layer.softmax_param);
      return site.add(softmaxLossOp, site.takes(2), {
        axis,
        prob: site.layer.top.length > 1,
        ...labels(site.layer, 'valid'),
      });
    },
    SigmoidCrossEntropyLoss: (site) =>
      site.add(sigmoidCrossEntropyLossOp, site.takes(2), labels(site.layer, 'batchSize')),
    EuclideanLoss: (site) => site.add(euclideanLossOp, site.takes(2), {}),
    MultinomialLogisticLoss: (site) => site.add(multinomialLossOp, site.takes(2), {}),
    HingeLoss: (site) =>
      site.add(hingeLossOp, site.takes(2), { norm: site.layer.hinge_loss_param?.norm === 'L2' ? 'l2' : 'l1' }),
    ContrastiveLoss(site) {
      const { margin, legacy_version: legacy } = filled(ContrastiveLossParameter, site.layer.contrastive_loss_param);
      return site.add(contrastiveLossOp, site.takes(3), { margin, legacy });
    },
    InfogainLoss(site) {
      if (site.bottoms.length === 2)
        throw site.error('expected the matrix as third bottom; reading it from a file is not supported');
      const axis = site.layer.infogain_loss_param?.axis ?? 1;
      return site.add(infogainLossOp, site.takes(3), { axis, ...labels(site.layer, 'valid') });
    },
    Accuracy(site) {
      const { top_k: topK, axis, ignore_label: ignoreLabel } = filled(AccuracyParameter, site.layer.accuracy_param);
      const perClass = site.layer.top.length > 1;
      return site.add(accuracyOp, site.takes(2), {
        topK,
        axis,
        perClass,
        ...(ignoreLabel !== undefined && { ignoreLabel }),
      });
    },
    ArgMax(site) {
      const { top_k: topK, axis, out_max_val: outMaxVal } = filled(ArgMaxParameter, site.layer.argmax_param);
      return site.add(argmaxOp, site.takes(1), { topK, outMaxVal, ...(axis !== undefined && { axis }) });
    },
  },
  writers: {
    ...writer(softmaxOp, (_, { axis }) => ({ type: 'Softmax', ...axisParam(axis) })),
    ...writer(softmaxLossOp, (o, { axis }) => ({
      type: 'SoftmaxWithLoss',
      ...axisParam(axis),
      ...lossParam(o, 'valid'),
    })),
    ...writer(sigmoidCrossEntropyLossOp, (o) => ({ type: 'SigmoidCrossEntropyLoss', ...lossParam(o, 'batchSize') })),
    ...writer(euclideanLossOp, () => ({ type: 'EuclideanLoss' })),
    ...writer(multinomialLossOp, () => ({ type: 'MultinomialLogisticLoss' })),
    ...writer(hingeLossOp, (_, { squared }) => ({
      type: 'HingeLoss',
      ...(squared !== 0 && { hinge_loss_param: { norm: 'L2' } }),
    })),
    ...writer(contrastiveLossOp, (_, { margin, legacy }) => ({
      type: 'ContrastiveLoss',
      contrastive_loss_param: { margin, ...(legacy !== 0 && { legacy_version: true }) },
    })),
    ...writer(infogainLossOp, (o, { axis }) => ({
      type: 'InfogainLoss',
      infogain_loss_param: { axis },
      ...lossParam(o, 'valid'),
    })),
    ...writer(accuracyOp, ({ ignoreLabel }, { topK, axis }) => ({
      type: 'Accuracy',
      accuracy_param: {
        ...(topK !== 1 && { top_k: topK }),
        ...(axis !== 1 && { axis }),
        ...(ignoreLabel !== undefined && { ignore_label: ignoreLabel }),
      },
    })),
    ...writer(argmaxOp, ({ axis }, { topK, values }) => ({
      type: 'ArgMax',
      argmax_param: { top_k: topK, ...(values !== 0 && { out_max_val: true }), ...(axis !== undefined && { axis }) },
    })),
  },
};
