import { dataLayers, locate, type DataLayer } from '../../caffe/data-layers.js';
import { readNetDefinition } from '../../caffe/prototxt.js';
import { filterNet, type Circumstances } from '../../caffe/phase.js';
import type { Net, Solver } from '../../caffe/schema.js';
import { at } from '../../caffe/text/position.js';
import { upgradeNet } from '../../caffe/upgrade.js';
import { FormatError } from '../../errors.js';

/** A net of a solver file, its data layer, and how it is fed. */
export interface Side {
  readonly definition: Net;
  readonly layer: DataLayer;
  /** Whether the net lies beside the solver file, not where Caffe would look: so do other files then. */
  readonly beside: boolean;
}

/** The net that a solver file trains. @throws {FormatError} unless it names exactly one */
export async function trainSide(solver: Solver): Promise<Side> {
  const given = [solver.net, solver.train_net, solver.net_param, solver.train_net_param].filter(
    (each) => each !== undefined,
  );
  if (given.length !== 1) {
    throw new FormatError(
      `${at(solver)}expected one of net, train_net, net_param and train_net_param to name the net, got ${given.length || 'none'}`,
    );
  }
  const path = solver.net ?? solver.train_net;
  const inline = solver.net_param ?? solver.train_net_param;
  return sideOf(
    solver,
    { path, inline, field: solver.net === undefined ? 'train_net' : 'net' },
    circumstances('TRAIN', solver.train_state),
  );
}

/** The net that it evaluates; undefined where it asks for no evaluation. @throws {FormatError} */
export async function testSide(solver: Solver): Promise<Side | undefined> {
  const { test_net: paths, test_net_param: inlines, test_iter: batches, test_interval: every = 0 } = solver;
  const own = paths.length + inlines.length;
  if (every === 0 && batches.length === 0 && own === 0) return undefined;
  if (batches.length !== 1 || own > 1)
    throw new FormatError(
      `${at(solver)}expected one test net and one test_iter, got ${Math.max(own, 1)} and ${batches.length}`,
    );
  if (!(batches[0]! > 0)) throw new FormatError(`${at(solver)}test_iter: expected at least 1, got ${batches[0]}`);
  if (!(every > 0)) throw new FormatError(`${at(solver)}test_interval: expected at least 1, got ${every}`);
  const source =
    own > 0
      ? { path: paths[0], inline: inlines[0], field: 'test_net' }
      : { path: solver.net, inline: solver.net_param, field: 'net' };
  if (source.path === undefined && source.inline === undefined)
    throw new FormatError(`${at(solver)}expected test_net or net for test_iter, got none`);
  return sideOf(solver, source, circumstances('TEST', solver.test_state[0]));
}

function circumstances(phase: 'TRAIN' | 'TEST', state: Solver['train_state']): Circumstances {
  return { phase, ...(state?.level !== undefined && { level: state.level }), stages: state?.stage ?? [] };
}

interface NetSource {
  readonly path: string | undefined;
  readonly inline: Net | undefined;
  readonly field: string;
}

async function sideOf(solver: Solver, { path, inline, field }: NetSource, given: Circumstances): Promise<Side> {
  const located = path === undefined ? undefined : locate(path, field, solver);
  const whole = located ? await readNetDefinition(located.path) : upgradeNet(inline!);
  const definition = filterNet(whole, given);
  const [layer, ...more] = dataLayers(definition);
  if (!layer || more.length > 0) {
    throw new FormatError(
      `${at(definition)}expected one data layer (Data, ImageData or HDF5Data) in phase ${given.phase ?? ''}, got ${more.length > 0 ? more.length + 1 : 'none'}`,
    );
  }
  return { definition, layer, beside: located?.beside ?? false };
}
