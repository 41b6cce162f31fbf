import { FormatError } from '../errors.js';
import type { Layer, Net, State, StateRule } from './schema.js';
import { at, place, positionOf } from './text/position.js';

export type Phase = 'TRAIN' | 'TEST';

/** The circumstances a net is built for. */
export interface Circumstances {
  /** Default: what the net says, or TEST. */
  readonly phase?: Phase;
  /** Default: what the net says, or 0. */
  readonly level?: number;
  /** Added to what the net says. */
  readonly stages?: readonly string[];
}

/** The state of a net under given circumstances. */
export function stateOf(net: Net, given: Circumstances = {}): Required<State> {
  return {
    phase: given.phase ?? net.state?.phase ?? 'TEST',
    level: given.level ?? net.state?.level ?? 0,
    stage: [...(net.state?.stage ?? []), ...(given.stages ?? [])],
  };
}

/** Whether a rule holds: all that it says must be so. */
export function meets(rule: StateRule, state: Required<State>): boolean {
  if (rule.phase !== undefined && rule.phase !== state.phase) return false;
  if (rule.min_level !== undefined && state.level < rule.min_level) return false;
  if (rule.max_level !== undefined && state.level > rule.max_level) return false;
  return (
    rule.stage.every((stage) => state.stage.includes(stage)) &&
    !rule.not_stage.some((stage) => state.stage.includes(stage))
  );
}

/**
 * The net with only the layers that take part under its circumstances, its `state` filled in.
 * @throws {FormatError} for a layer with both include and exclude rules
 */
export function filterNet(net: Net, given: Circumstances = {}): Net {
  const state = stateOf(net, given);
  const filtered: Net = { ...net, state, layer: net.layer.filter((layer) => takesPart(layer, state)) };
  place(filtered, positionOf(net));
  return filtered;
}

function takesPart(layer: Layer, state: Required<State>): boolean {
  if (layer.include.length > 0 && layer.exclude.length > 0) {
    throw new FormatError(
      `${at(layer)}layer ${JSON.stringify(layer.name)} has include and exclude rules: choose one kind`,
    );
  }
  if (layer.include.length > 0) return layer.include.some((rule) => meets(rule, state));
  return !layer.exclude.some((rule) => meets(rule, state));
}
