import { readCaffemodel } from '../caffemodel.js';
import { filterNet, type Circumstances } from '../phase.js';
import { parseNet, readNetDefinition } from '../prototxt.js';
import type { Net } from '../schema.js';
import { buildNet, type ImportedNet } from './build.js';
import type { InputOptions } from './inputs.js';
import { matchWeights, type Weights } from './weights.js';

export type { Blob as ImportedBlob, ImportedLayer, ImportedNet } from './build.js';
export { matchWeights, toCaffemodel, type Weights } from './weights.js';

/** How a net is read. */
export interface NetOptions extends Circumstances, InputOptions {
  /** A .caffemodel file, or its content. */
  readonly weights?: string | Uint8Array;
}

/** A net of a file with the weights that were asked for; empty when none were. */
export interface LoadedNet extends ImportedNet {
  /** For `model.load(net.weights)`. */
  readonly weights: Weights;
}

/**
 * Reads a net of any age from a prototxt file and, with `weights`, from a caffemodel.
 *
 *     const net = await readNet('train_val.prototxt', { phase: 'TEST', weights: 'x.caffemodel' });
 *     const model = await compile(net.graph);
 *     await model.load(net.weights);
 *
 * Data layers become inputs. Include and exclude rules, in-place layers, parameters shared by name, loss weights and
 * frozen bottoms mean what they mean in Caffe. Whether dropout and batch normalisation train is the model's choice at
 * each run; `phase` (default: the net's own, or TEST) only chooses layers.
 *
 * @throws {FormatError} for what is not a net, naming file, line and column
 * @throws {GraphError | ShapeError} for a net that cannot be, naming file, line and layer
 */
export async function readNet(path: string, options: NetOptions = {}): Promise<LoadedNet> {
  return load(await readNetDefinition(path), options);
}

/** The same from text. `file` names it in errors. */
export async function readNetText(
  text: string,
  options: NetOptions & { readonly file?: string } = {},
): Promise<LoadedNet> {
  return load(parseNet(text, options.file), options);
}

async function load(definition: Net, options: NetOptions): Promise<LoadedNet> {
  const net = importNet(definition, options);
  const weights = options.weights === undefined ? {} : matchWeights(net, await readCaffemodel(options.weights));
  return { ...net, weights };
}

/** Builds the graph of a net in the present form. @throws {GraphError | ShapeError} */
export function importNet(definition: Net, options: Omit<NetOptions, 'weights'> = {}): ImportedNet {
  return buildNet(filterNet(definition, options), options);
}
