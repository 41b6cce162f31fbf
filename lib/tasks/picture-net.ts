import { compile, type CompileOptions } from '../compile.js';
import { FormatError } from '../errors.js';
import { cutPlanes, toImages, type Cut } from '../images/index.js';
import type { Model } from '../model.js';
import { count } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { ancestors, results } from '../wanted.js';
import { average } from './answers.js';
import type { DescribedNet } from './description.js';
import { MicroBatcher } from './micro-batcher.js';
import type { PictureSpec } from './picture-spec.js';
import { decodeSource, readSource, type PictureSource } from './source.js';

export interface GatherOptions {
  /** Milliseconds that a picture waits for others that are being decoded. Default 5. */
  readonly latency?: number;
  /** Refuses larger pictures before they are decoded. Default 100 million pixels. */
  readonly maxPixels?: number;
  /** Told of each run: its rows and the seconds it took. */
  readonly observe?: (rows: number, seconds: number) => void;
}

const LATENCY = 5;

/** Compiles a net and loads its weights. @throws {FormatError} when a parameter that its answers need has none */
export async function readyModel(
  { graph, weights }: Pick<DescribedNet, 'graph' | 'weights'>,
  options: CompileOptions,
): Promise<Model> {
  const needed = ancestors(results(graph));
  const missing = graph.parameters.find((value) => needed.has(value) && !Object.hasOwn(weights, value.name));
  if (missing) throw new FormatError(`${graph.name}: expected weights for ${missing.name}, got none`);
  return compile(graph, { ...options, weights });
}

/** A model that looks at pictures, as many at once as calls come in. */
export class PictureNet {
  readonly #batcher: MicroBatcher<Cut, Float32Array>;

  constructor(
    readonly model: Model,
    readonly spec: PictureSpec,
    readonly options: GatherOptions = {},
  ) {
    const { latency = LATENCY } = options;
    this.#batcher = new MicroBatcher((cuts, signal, name) => this.#run(cuts, signal, name), {
      limit: model.batch,
      latency,
    });
  }

  /** Pictures of one run at most. */
  get batch(): number {
    return Math.floor(this.model.batch / this.spec.rows);
  }

  /** Calls that have no answer yet. */
  get pending(): number {
    return this.#batcher.pending;
  }

  /** The value of that name for one picture: the mean over its cuts. @throws {FormatError} for a damaged picture */
  async look(source: PictureSource, name: string, signal?: AbortSignal): Promise<Tensor> {
    const read = await readSource(source, signal);
    const data = await this.#batcher.submit({
      make: async () => cutPlanes(await decodeSource(read, this.options.maxPixels), this.spec.cut),
      rows: this.spec.rows,
      kind: name,
      signal,
    });
    return { data, shape: this.model.graph.value(name).shape.slice(1) };
  }

  /** Resolves when no call is without an answer. */
  idle(): Promise<void> {
    return this.#batcher.idle();
  }

  close(): void {
    this.#batcher.close();
  }

  async #run(cuts: readonly Cut[], signal: AbortSignal, name: string): Promise<Float32Array[]> {
    const { input, normalization, rows } = this.spec;
    const images = toImages(cuts as readonly [Cut, ...Cut[]], normalization);
    const began = performance.now();
    const { data } = (await this.model.forward({ [input]: images }, { fetch: [name], signal }))[name]!;
    this.options.observe?.(images.shape[0]!, (performance.now() - began) / 1000);
    const size = count([rows, data.length / (rows * cuts.length)]);
    return cuts.map((_, i) => average(data.subarray(i * size, (i + 1) * size), rows));
  }
}
