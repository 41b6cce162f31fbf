import { FormatError } from '../errors.js';
import { create, InputParameter, LayerParameter, type Layer, type Net, type Solver } from './schema.js';
import { at, place, positionOf } from './text/position.js';
import { upgradeV0 } from './upgrade/v0.js';
import { moveTransformation, upgradeV1 } from './upgrade/v1.js';

/** Told of settings that an old layer type cannot have; like Caffe, the upgrade goes on without them. */
export type Warn = (message: string) => void;

/**
 * Brings a net of any age to the present form: `layer` entries with named types, inputs as Input layers. A net that is
 * up to date comes back as it is.
 * @throws {FormatError} for a net that mixes `layer` and `layers`, or inputs without their extents
 */
export function upgradeNet(net: Net, warn: Warn = () => {}): Net {
  let upgraded: Net = { ...net };
  place(upgraded, positionOf(net));
  if (net.layers.length > 0 && net.layer.length > 0) {
    throw new FormatError(`${at(net.layers[0])}a net has either layer or layers entries, got both`);
  }
  if (net.layers.some((layer) => layer.layer)) upgraded.layers = upgradeV0(net, warn);
  upgraded.layer = [...net.layer, ...upgraded.layers.map((layer) => upgradeV1(moveTransformation(layer), warn))];
  upgraded.layers = [];
  upgraded = upgradeInputs(upgraded);
  upgraded.layer = upgraded.layer.map(upgradeBatchNorm);
  return upgraded;
}

/** Inputs of the net become the tops of an Input layer in front. Weight files name inputs without extents: dropped. */
function upgradeInputs(net: Net): Net {
  const { input, input_dim: dims, input_shape: shapes, ...kept } = net;
  const bare: Net = { ...kept, input: [], input_dim: [], input_shape: [] };
  place(bare, positionOf(net));
  if (input.length === 0 || (dims.length === 0 && shapes.length === 0)) return bare;
  const shape = input.map((name, i) => {
    const given = shapes.length > 0 ? shapes[i] : { dim: dims.slice(4 * i, 4 * i + 4) };
    if (!given || (shapes.length === 0 && given.dim.length < 4)) {
      throw new FormatError(`${at(net)}input ${JSON.stringify(name)} has no shape`);
    }
    return given;
  });
  const input_param = create(InputParameter, { shape });
  const layer = create(LayerParameter, { name: 'input', type: 'Input', top: input, input_param });
  place(layer, positionOf(net));
  bare.layer = [layer, ...net.layer];
  return bare;
}

/** A BatchNorm layer that lists its three blobs lists them only to keep the solver off: that is now understood. */
function upgradeBatchNorm(layer: Layer): Layer {
  if (layer.type !== 'BatchNorm' || layer.param.length !== 3) return layer;
  const frozen: Layer = { ...layer, param: layer.param.map((param) => ({ ...param, lr_mult: 0, decay_mult: 0 })) };
  place(frozen, positionOf(layer));
  return frozen;
}

const SOLVERS = {
  SGD: 'SGD',
  NESTEROV: 'Nesterov',
  ADAGRAD: 'AdaGrad',
  RMSPROP: 'RMSProp',
  ADADELTA: 'AdaDelta',
  ADAM: 'Adam',
} as const;

/** Names the solver's type in text. @throws {FormatError} when the old and the new form are both given */
export function upgradeSolver(solver: Solver): Solver {
  const { solver_type: old, ...kept } = solver;
  if (old === undefined) return solver;
  if (kept.type !== undefined) throw new FormatError(`${at(solver)}a solver has either type or solver_type, got both`);
  const upgraded = { ...kept, type: SOLVERS[old] };
  place(upgraded, positionOf(solver));
  return upgraded;
}
