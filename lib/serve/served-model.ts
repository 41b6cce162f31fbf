import type { CompileOptions } from '../compile.js';
import { GraphError } from '../errors.js';
import { checkFeeds } from '../feed.js';
import type { Model } from '../model.js';
import { classifierOf, type Classifier } from '../tasks/classifier.js';
import { describeNet, type DescribedNet } from '../tasks/description.js';
import { MicroBatcher } from '../tasks/micro-batcher.js';
import { PictureNet, readyModel, type GatherOptions } from '../tasks/picture-net.js';
import { pictureSpec, takesPictures, type PictureSpec } from '../tasks/picture-spec.js';
import type { Tensor, TensorData } from '../tensor.js';
import { joined, merged, rowsOf, split, type Rows, type Tensors } from './rows.js';
import { signatureOf, type Signature } from './signature.js';

export interface ModelSettings extends GatherOptions, Pick<CompileOptions, 'device' | 'threads'> {
  /** Rows (pictures) of one run at most. Default 32. */
  readonly batch?: number;
}

/** One request's share of a run, and the outputs that it asks for. */
interface Share extends Rows {
  readonly wanted: readonly string[];
}

const BATCH = 32;
const LATENCY = 5;

/** A net that answers requests: tensors, and pictures where it takes some. */
export class ServedModel {
  readonly signature: Signature;
  /** Undefined for nets that do not classify pictures. */
  readonly classify: Classifier | undefined;
  /** Requests that are being answered. */
  users = 0;
  readonly #batcher: MicroBatcher<Share, Tensors>;
  /** Requests so far that share no run. */
  #alone = 0;

  private constructor(
    readonly model: Model,
    described: DescribedNet,
    spec: PictureSpec | undefined,
    readonly settings: ModelSettings,
    readonly version: string,
  ) {
    this.signature = signatureOf(model.graph);
    this.classify = spec && classifierOf(new PictureNet(model, spec, settings), described);
    const { latency = LATENCY } = settings;
    this.#batcher = new MicroBatcher((items, signal) => this.#run(items, signal), { limit: model.batch, latency });
  }

  /** @throws what describeNet and compile throw */
  static async open(source: string, settings: ModelSettings, version: string): Promise<ServedModel> {
    const { batch = BATCH, device, threads } = settings;
    const described = await describeNet(source);
    const { graph } = described;
    const spec = takesPictures(graph) ? pictureSpec(graph, described.picture) : undefined;
    const model = await readyModel(described, {
      batch: signatureOf(graph).mergeable ? batch * (spec?.rows ?? 1) : graph.batch,
      ...(device !== undefined && { device }),
      ...(threads !== undefined && { threads }),
    });
    return new ServedModel(model, described, spec, settings, version);
  }

  /**
   * The outputs of that name, all by default, for inputs of any number of rows.
   * @throws {GraphError | ShapeError | UsageError} for inputs and outputs that are not the net's
   */
  async infer(
    inputs: Readonly<Record<string, Tensor<TensorData>>>,
    outputs: readonly string[] | undefined,
    signal: AbortSignal,
  ): Promise<Tensors> {
    const { graph, batch, device } = this.model;
    const wanted = outputs ?? this.signature.outputs.map(({ name }) => name);
    const missing = this.signature.inputs.find(({ name }) => !Object.hasOwn(inputs, name));
    if (missing) throw new GraphError(`${graph.name}: expected input "${missing.name}"`);
    for (const name of wanted) {
      if (!this.signature.outputs.some((output) => output.name === name))
        throw new GraphError(`${graph.name}: expected outputs among ${namesOf(this.signature.outputs)}, got "${name}"`);
    }
    const { batch: rows } = checkFeeds(graph, inputs, this.signature.mergeable ? Infinity : batch, device);
    const data = Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, tensor.data]));
    // Requests that ask for the same in the same types may share a run.
    const types = Object.entries(data).map(([name, array]) => [name, array.constructor.name]);
    const kind = this.signature.mergeable ? JSON.stringify([wanted, types.sort()]) : String(this.#alone++);
    const pieces = this.signature.mergeable ? split({ rows, inputs: data }, batch) : [{ rows, inputs: data }];
    const answers = pieces.map((piece) =>
      this.#batcher.submit({ make: () => ({ ...piece, wanted }), rows: piece.rows, kind, signal }),
    );
    return joined(await Promise.all(answers));
  }

  /** Releases the net; calls on their way end with a DisposedError. */
  dispose(): void {
    this.#batcher.close();
    this.classify?.dispose();
    this.model.dispose();
  }

  async #run(items: readonly Share[], signal: AbortSignal): Promise<Tensors[]> {
    const { graph } = this.model;
    const { wanted } = items[0]!;
    const values = wanted.map((name) => graph.outputs[name]!.name);
    const rows = items.reduce((sum, item) => sum + item.rows, 0);
    const began = performance.now();
    const results = await this.model.forward(merged(items), { fetch: values, signal });
    this.settings.observe?.(rows, (performance.now() - began) / 1000);
    if (!this.signature.mergeable) return [Object.fromEntries(wanted.map((name, i) => [name, results[values[i]!]!]))];
    let at = 0;
    return items.map((item) => {
      const from = at;
      at += item.rows;
      return Object.fromEntries(
        wanted.map((name, i) => [name, rowsOf(results[values[i]!]!, from, item.rows)] as const),
      );
    });
  }
}

function namesOf(specs: Signature['outputs']): string {
  return specs.map(({ name }) => name).join(', ');
}
