import { FormatError, GraphError, ShapeError, UsageError } from '../errors.js';
import type { Feed } from '../feed.js';
import type { Graph, Node, Value } from '../graph.js';
import type { Model } from '../model.js';
import { format, same } from '../shape.js';
import type { Batch } from '../data/loader.js';
import { Pace } from '../data/pace.js';
import type { Source } from './feeder.js';

/** Which inputs of a net take the pictures and the labels of a batch. */
export interface InputNames {
  /** The input of pictures. */
  readonly images: string;
  /** Undefined: the net wants no labels. */
  readonly labels: string | undefined;
}

/** What the labels of a net may be. */
interface ClassLabels {
  readonly classes: number;
  /** Labels beyond the classes that count for nothing. */
  readonly ignored: ReadonlySet<number>;
}

/** Ops whose second input is the number of a class, one for each place beside the class axis of the first. */
const JUDGES = new Set(['softmaxLoss', 'multinomialLoss', 'infogainLoss', 'hingeLoss', 'accuracy']);

/** The inputs of a net that batches go into, checked against what a loader brings. */
export class Inputs {
  readonly names: InputNames;
  readonly #labels: ClassLabels | undefined;

  /**
   * @throws {GraphError} for a net whose inputs are not pictures and labels, unless they are named
   * @throws {ShapeError} for pictures of other extents
   * @throws {UsageError} for a number of classes that is not the net's, or batches that are too large for the model
   */
  constructor(model: Pick<Model, 'graph' | 'batch'>, loader: Source, names?: InputNames) {
    const { graph } = model;
    this.names = names ?? findInputs(graph);
    const { images, labels } = this.names;
    for (const name of [images, labels])
      if (name !== undefined && !Object.hasOwn(graph.inputs, name)) unknown(graph, name);
    const { shape } = graph.inputSpecs[images]!;
    const { dataset } = loader;
    if (!same(shape, loader.shape)) {
      throw new ShapeError(
        `${dataset.name}: expected pictures of ${format(shape)}, which ${graph.name} takes, got ${format(loader.shape)}; resize or crop them`,
      );
    }
    if (loader.options.batch > model.batch) {
      throw new UsageError(
        `${dataset.name}: expected batches of at most the ${model.batch} pictures that the model was compiled for, got ${loader.options.batch}`,
      );
    }
    this.#labels = labels === undefined ? undefined : classLabels(graph, graph.inputs[labels]!);
    const classes = dataset.classes?.length;
    if (this.#labels && classes !== undefined && classes !== this.#labels.classes) {
      throw new UsageError(
        `${dataset.name}: expected the ${this.#labels.classes} classes of ${graph.name}, got ${classes} (${shownClasses(dataset.classes!)})`,
      );
    }
  }

  /** Looks at all labels that the dataset knows without reading its pictures. @throws {FormatError} for one that is no class of the net's */
  async checkKnown({ dataset }: Source): Promise<void> {
    const { name, length = 0 } = dataset;
    if (!this.#labels || !dataset.label) return;
    const pace = new Pace();
    for (let index = 0; index < length; index++) {
      const label = dataset.label(index);
      if (!isLabel(label, this.#labels)) refuse(`${name}, item ${index}`, label, this.#labels);
      if (index % 1024 === 0 && pace.due) await pace.rest();
    }
  }

  /** A batch as the model takes it. @throws {FormatError} for a label that is no class of the net's, naming the picture */
  feed(batch: Batch): Record<string, Feed> {
    const { images, labels } = this.names;
    if (this.#labels) checkLabels(batch, this.#labels);
    return { [images]: batch.images, ...(labels !== undefined && { [labels]: batch.labels }) };
  }
}

function unknown(graph: Graph, name: string): never {
  throw new GraphError(`${graph.name}: expected inputs among ${Object.keys(graph.inputs).join(', ')}, got "${name}"`);
}

/** The one input of pictures (N, C, H, W); the other one, where there is another, takes labels. */
function findInputs(graph: Graph): InputNames {
  const names = Object.keys(graph.inputs);
  const pictures = names.filter(
    (name) => graph.inputSpecs[name]!.batched && graph.inputSpecs[name]!.shape.length === 3,
  );
  const others = names.filter((name) => !pictures.includes(name));
  const [images, labels] = [pictures[0], others[0]];
  if (images !== undefined && pictures.length === 1 && others.length <= 1) return { images, labels };
  const got = names.map((name) => `${name} ${format(graph.inputs[name]!.shape)}`).join(', ');
  throw new GraphError(
    `${graph.name}: expected an input of pictures (N, C, H, W) and one of labels, got ${got || 'none'}`,
  );
}

/** The layers that compare scores with labels. */
function judgesOf(graph: Graph, labels: Value): readonly Node[] {
  return graph.nodes.filter((node) => JUDGES.has(node.op.name) && node.inputs[1] === labels);
}

/** The value that has a number for each class, of pictures whose labels go into the input of that name. */
export function scoresOf(graph: Graph, labels: string): Value | undefined {
  return judgesOf(graph, graph.inputs[labels]!)[0]?.inputs[0];
}

function classLabels(graph: Graph, labels: Value): ClassLabels | undefined {
  const judges = judgesOf(graph, labels);
  const [first] = judges;
  if (!first) return undefined;
  const options = (node: Node): { axis?: number; ignoreLabel?: number } => node.options;
  const { shape } = first.inputs[0]!;
  const ignored = judges.flatMap((node) => options(node).ignoreLabel ?? []);
  return { classes: shape.at(options(first).axis ?? 1)!, ignored: new Set(ignored) };
}

function checkLabels({ labels: { data }, names }: Batch, allowed: ClassLabels): void {
  const bad = data.findIndex((label) => !isLabel(label, allowed));
  if (bad < 0) return;
  refuse(names[Math.floor((bad * names.length) / data.length)] ?? 'a picture', data[bad]!, allowed);
}

function isLabel(label: number, { classes, ignored }: ClassLabels): boolean {
  return (Number.isInteger(label) && label >= 0 && label < classes) || ignored.has(label);
}

function refuse(name: string, label: number, { classes }: ClassLabels): never {
  throw new FormatError(
    `${name}: expected a label from 0 to ${classes - 1}, one of the classes of the net, got ${label}`,
  );
}

function shownClasses(classes: readonly string[]): string {
  return classes.length <= 6 ? classes.join(', ') : `${classes.slice(0, 5).join(', ')}, …`;
}
