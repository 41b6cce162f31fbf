import type { Filler } from '../../fillers.js';
import { denseOp } from '../../ops/dense.js';
import { embedOp } from '../../ops/embed.js';
import { parameterOp } from '../../ops/parameter.js';
import { create, EmbedParameter, filled, InnerProductParameter } from '../schema.js';
import { fillerMessage, fillerOf } from './fillers.js';
import { writer, type Family } from './family.js';

function fillers([weight, bias]: readonly Filler[]) {
  return {
    ...(!bias && { bias_term: false }),
    ...(weight && { weight_filler: fillerMessage(weight) }),
    ...(bias && { bias_filler: fillerMessage(bias) }),
  };
}

function params(p: {
  bias_term: boolean;
  weight_filler?: Parameters<typeof fillerOf>[0];
  bias_filler?: Parameters<typeof fillerOf>[0];
}): Record<string, Filler> {
  return { weight: fillerOf(p.weight_filler), ...(p.bias_term && { bias: fillerOf(p.bias_filler) }) };
}

export const linearFamily: Family = {
  readers: {
    InnerProduct(site) {
      const p = filled(InnerProductParameter, site.layer.inner_product_param);
      if (p.num_output === undefined) throw site.error('expected inner_product_param with num_output');
      const options = { units: p.num_output, axis: p.axis, transpose: p.transpose, bias: p.bias_term };
      return site.add(denseOp, site.takes(1), options, params(p));
    },
    Embed(site) {
      const p = filled(EmbedParameter, site.layer.embed_param);
      if (p.num_output === undefined || p.input_dim === undefined)
        throw site.error('expected embed_param with num_output and input_dim');
      return site.add(embedOp, site.takes(1), { rows: p.input_dim, units: p.num_output, bias: p.bias_term }, params(p));
    },
    Parameter(site) {
      const shape = site.layer.parameter_param?.shape?.dim;
      if (!shape) throw site.error('expected parameter_param with shape');
      site.takes(0);
      return site.add(parameterOp, [], { shape }, { weight: fillerOf(undefined) });
    },
  },
  writers: {
    ...writer(denseOp, ({ units }, { axis, transpose }, given) => ({
      type: 'InnerProduct',
      inner_product_param: create(InnerProductParameter, {
        num_output: units,
        ...(axis !== 1 && { axis }),
        ...(transpose !== 0 && { transpose: true }),
        ...fillers(given),
      }),
    })),
    ...writer(embedOp, ({ rows, units }, _, given) => ({
      type: 'Embed',
      embed_param: create(EmbedParameter, { num_output: units, input_dim: rows, ...fillers(given) }),
    })),
    ...writer(parameterOp, ({ shape }) => ({ type: 'Parameter', parameter_param: { shape: { dim: [...shape] } } })),
  },
};
