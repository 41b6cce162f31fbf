import { FormatError, ShapeError } from '../errors.js';
import type { Graph, Value } from '../graph.js';
import { format, same } from '../shape.js';
import type { Tensor, TensorData } from '../tensor.js';
import { toTensor } from './elements.js';
import { openTensors } from './files.js';
import type { TensorSet } from './tensors.js';

/**
 * Reads the parameters of a graph from a file or set of tensors, for `model.load`, and no other tensors. A parameter is found
 * under its name, with anything before it (`module.`, `state_dict.`), or under the name that it has in torchvision's
 * `squeezenet1_0`.
 *
 *     await model.load(await readWeights(model.graph, 'alexnet-owt-7be5be79.pth'));
 *
 * @throws {FormatError} when parameters are missing, or found twice @throws {ShapeError}
 */
export async function readWeights(
  graph: Graph,
  source: string | TensorSet,
): Promise<Readonly<Record<string, Tensor<TensorData>>>> {
  if (typeof source !== 'string') return matched(graph, source);
  await using file = await openTensors(source);
  return await matched(graph, file);
}

async function matched(graph: Graph, set: TensorSet): Promise<Record<string, Tensor<TensorData>>> {
  const missing = graph.parameters.filter((value) => nameIn(set, value) === undefined).map(({ name }) => name);
  if (missing.length > 0) {
    const more = missing.length > 5 ? ` and ${missing.length - 5} more` : '';
    throw new FormatError(
      `${set.where}: expected the parameters of ${graph.name}, got none called ${missing.slice(0, 5).join(', ')}${more}`,
    );
  }
  return findWeights(graph.parameters, set);
}

/** The parameters that a set of tensors has; others are left out. @throws {FormatError | ShapeError} as `readWeights` */
export async function findWeights(
  parameters: readonly Value[],
  set: TensorSet,
): Promise<Record<string, Tensor<TensorData>>> {
  const made: [string, Tensor<TensorData>][] = [];
  for (const value of parameters) {
    const name = nameIn(set, value);
    if (name === undefined) continue;
    const { shape } = set.tensors.get(name)!;
    if (!same(shape, value.shape))
      throw new ShapeError(`${set.where}: ${name}: expected shape ${format(value.shape)}, got ${format(shape)}`);
    made.push([value.name, toTensor(await set.read(name), `${set.where}: ${name}`)]);
  }
  return Object.fromEntries(made);
}

/** The name of a parameter in the set. @throws {FormatError} when several end in it */
function nameIn({ tensors, where }: TensorSet, { name }: Value): string | undefined {
  for (const wanted of [name, torchvisionName(name)]) {
    if (tensors.has(wanted)) return wanted;
    const found = [...tensors.keys()].filter((each) => each.endsWith(`.${wanted}`));
    if (found.length > 1)
      throw new FormatError(`${where}: expected one ${wanted}, got ${found.slice(0, 5).join(', ')}`);
    if (found[0] !== undefined) return found[0];
  }
  return undefined;
}

/** Places of SqueezeNet's fire modules in torchvision's `features`: its squeezenet.py, version 1_0. */
const FIRES: Readonly<Record<string, number>> = { 2: 3, 3: 4, 4: 5, 5: 7, 6: 8, 7: 9, 8: 10, 9: 12 };
const ENDS: Readonly<Record<string, string>> = { conv1: 'features.0', conv10: 'classifier.1' };

/** `fire2/squeeze1x1.weight` is `features.3.squeeze.weight` there; other names are the same. */
function torchvisionName(name: string): string {
  const [, fire, part, rest] = /^fire(\d)\/(squeeze|expand1x1|expand3x3)(?:1x1)?(\..+)$/.exec(name) ?? [];
  if (fire !== undefined && fire in FIRES) return `features.${FIRES[fire]}.${part}${rest}`;
  return name.replace(/^(conv1|conv10)(?=\.)/, (layer) => ENDS[layer]!);
}
