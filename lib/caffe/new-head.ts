import { FormatError } from '../errors.js';
import { create, ParamSpec, type Layer, type Net, type Param } from './schema.js';
import { shown } from './import/inputs.js';
import { at, place, positionOf } from './text/position.js';

/** How much faster a new layer learns than the trained ones below it: as in Caffe's flickr_style example. */
const FASTER = 10;

/** Layers that end in a number for each class, and the message that says how many. */
const HEADS = { InnerProduct: 'inner_product_param', Convolution: 'convolution_param' } as const;

/**
 * A net for other classes, to be finetuned: its last layer with weights gets another name, so that it starts afresh where
 * weights are matched by name, as many outputs as there are classes, and ten times the learning rate.
 * @throws {FormatError} for a net whose last layer with weights is neither dense nor a convolution
 */
export function withNewHead(net: Net, classes: number): Net {
  const index = net.layer.findLastIndex((layer) => layer.param.length > 0 || Object.hasOwn(HEADS, layer.type ?? ''));
  const head = net.layer[index];
  const key = head && HEADS[head.type as keyof typeof HEADS];
  if (!key)
    throw new FormatError(
      `${at(head ?? net)}expected a last layer of type ${Object.keys(HEADS).join(' or ')} to be made anew, got ${head ? shown(head) : 'none'}`,
    );
  const bias = head[key]?.bias_term !== false;
  const layer: Layer = {
    ...head,
    name: `${head.name ?? 'head'}_new`,
    param: [0, 1].slice(0, bias ? 2 : 1).map((i) => faster(head.param[i])),
    [key]: { ...head[key], num_output: classes },
  };
  place(layer, positionOf(head));
  const changed: Net = { ...net, layer: net.layer.with(index, layer) };
  place(changed, positionOf(net));
  return changed;
}

function faster(param: Param | undefined): Param {
  return create(ParamSpec, { ...param, lr_mult: FASTER * (param?.lr_mult ?? 1) });
}
