import { constant, type Filler } from '../../fillers.js';
import { batchNormOp } from '../../ops/batch-norm.js';
import { biasOp } from '../../ops/bias.js';
import { dropoutOp } from '../../ops/dropout.js';
import { mvnOp } from '../../ops/mvn.js';
import { preluOp } from '../../ops/prelu.js';
import { scaleOp } from '../../ops/scale.js';
import {
  BatchNormParameter,
  BiasParameter,
  DropoutParameter,
  filled,
  MVNParameter,
  PReLUParameter,
  ScaleParameter,
} from '../schema.js';
import { fillerMessage, fillerOf } from './fillers.js';
import { writer, type Family } from './family.js';

const ZERO = constant(0);

/** Layers with statistics, noise or one number for each channel. */
export const normalizeFamily: Family = {
  readers: {
    BatchNorm(site) {
      const {
        use_global_stats: useGlobalStats,
        moving_average_fraction: movingAverageFraction,
        eps,
      } = filled(BatchNormParameter, site.layer.batch_norm_param);
      const options = { movingAverageFraction, eps, ...(useGlobalStats !== undefined && { useGlobalStats }) };
      return site.add(batchNormOp, site.takes(1), options, { mean: ZERO, variance: ZERO, factor: ZERO });
    },
    MVN(site) {
      const {
        normalize_variance: normalizeVariance,
        across_channels: acrossChannels,
        eps,
      } = filled(MVNParameter, site.layer.mvn_param);
      return site.add(mvnOp, site.takes(1), { normalizeVariance, acrossChannels, eps });
    },
    Scale(site) {
      const {
        axis,
        num_axes: numAxes,
        bias_term: bias,
        filler,
        bias_filler,
      } = filled(ScaleParameter, site.layer.scale_param);
      const inputs = site.takes(1, 2);
      const own: Record<string, Filler> = inputs.length > 1 ? {} : { weight: fillerOf(filler, constant(1)) };
      return site.add(
        scaleOp,
        inputs,
        { axis, numAxes, bias },
        { ...own, ...(bias && { bias: fillerOf(bias_filler) }) },
      );
    },
    Bias(site) {
      const { axis, num_axes: numAxes, filler } = filled(BiasParameter, site.layer.bias_param);
      const inputs = site.takes(1, 2);
      return site.add(biasOp, inputs, { axis, numAxes }, inputs.length > 1 ? {} : { bias: fillerOf(filler) });
    },
    PReLU(site) {
      const { filler, channel_shared: channelShared } = filled(PReLUParameter, site.layer.prelu_param);
      return site.add(preluOp, site.takes(1), { channelShared }, { slope: fillerOf(filler, constant(0.25)) });
    },
    Dropout: (site) =>
      site.add(dropoutOp, site.takes(1), { ratio: filled(DropoutParameter, site.layer.dropout_param).dropout_ratio }),
  },
  writers: {
    ...writer(batchNormOp, (_, { movingAverageFraction, eps, useGlobalStats }) => ({
      type: 'BatchNorm',
      batch_norm_param: {
        moving_average_fraction: movingAverageFraction,
        eps,
        ...(useGlobalStats >= 0 && { use_global_stats: useGlobalStats === 1 }),
      },
    })),
    ...writer(mvnOp, (_, { acrossChannels, normalizeVariance, eps }) => ({
      type: 'MVN',
      mvn_param: { normalize_variance: normalizeVariance === 1, across_channels: acrossChannels === 1, eps },
    })),
    ...writer(scaleOp, ({ bias = false }, { axis, numAxes }, fillers, { arity }) => {
      const [weight, shift] = arity > 1 ? [undefined, ...fillers] : fillers;
      const own = {
        ...(weight && { filler: fillerMessage(weight) }),
        ...(shift && { bias_filler: fillerMessage(shift) }),
      };
      return { type: 'Scale', scale_param: { axis, num_axes: numAxes, ...(bias && { bias_term: true }), ...own } };
    }),
    ...writer(biasOp, (_, { axis, numAxes }, [filler]) => ({
      type: 'Bias',
      bias_param: { axis, num_axes: numAxes, ...(filler && { filler: fillerMessage(filler) }) },
    })),
    ...writer(preluOp, (_, { shared }, [filler]) => ({
      type: 'PReLU',
      prelu_param: { ...(filler && { filler: fillerMessage(filler) }), ...(shared !== 0 && { channel_shared: true }) },
    })),
    ...writer(dropoutOp, (_, { ratio }) => ({ type: 'Dropout', dropout_param: { dropout_ratio: ratio } })),
  },
};
