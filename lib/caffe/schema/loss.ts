import { enumeration, message, one } from '../../protobuf/schema.js';

const NormalizationMode = enumeration('NormalizationMode', { FULL: 0, VALID: 1, BATCH_SIZE: 2, NONE: 3 });

/** What every loss shares; normalize is the older, yes-or-no form of normalization. */
export const LossParameter = message('LossParameter', {
  ignore_label: one('int32', 1),
  normalize: one('bool', 2),
  normalization: one(NormalizationMode, 3, 'VALID'),
});

export const AccuracyParameter = message('AccuracyParameter', {
  top_k: one('uint32', 1, 1),
  axis: one('int32', 2, 1),
  ignore_label: one('int32', 3),
});

const Norm = enumeration('Norm', { L1: 1, L2: 2 });

export const HingeLossParameter = message('HingeLossParameter', { norm: one(Norm, 1, 'L1') });

export const ContrastiveLossParameter = message('ContrastiveLossParameter', {
  margin: one('float', 1, 1),
  legacy_version: one('bool', 2, false),
});

export const InfogainLossParameter = message('InfogainLossParameter', {
  source: one('string', 1),
  axis: one('int32', 2, 1),
});
