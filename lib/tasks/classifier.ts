import { Duplex } from 'node:stream';
import type { CompileOptions } from '../compile.js';
import { CortadoError, UsageError } from '../errors.js';
import { count } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { best, type Prediction } from './answers.js';
import { describeNet, type DescribedNet, type NetOptions } from './description.js';
import { inOrder } from './in-order.js';
import { PictureNet, readyModel, type GatherOptions } from './picture-net.js';
import { answerOf, featuresOf, isNormalized, pictureSpec } from './picture-spec.js';
import type { PictureSource } from './source.js';

/** How a classifier is opened, and how it runs. */
export interface ClassifierOptions extends NetOptions, GatherOptions, Pick<CompileOptions, 'device' | 'threads'> {
  /** Pictures of one run at most. Default 16. */
  readonly batch?: number;
}

/** What every call takes. */
export interface LookOptions {
  /** Ends this call; others go on. */
  readonly signal?: AbortSignal;
}

/** How pictures are named. */
export interface ClassifyOptions extends LookOptions {
  /** Classes to name, the likeliest first. Default 5. */
  readonly top?: number;
}

/** Which features are wanted. */
export interface FeatureOptions extends LookOptions {
  /** Name of a value of the net. Default: what the last layer with parameters reads (of maps, the mean of each). */
  readonly layer?: string;
}

/** What is said of one picture of many. */
export interface Answer {
  readonly picture: PictureSource;
  readonly predictions?: readonly Prediction[];
  /** What is wrong with the picture. */
  readonly error?: CortadoError;
}

/**
 * Names what is on pictures. Concurrent calls share runs, and pictures are decoded while others are looked at. Release it
 * with `dispose()` or `using`.
 */
export interface Classifier extends Disposable, AsyncDisposable {
  /** @throws {FormatError} for a damaged picture; calls for others go on. Of several pictures the first that fails is told */
  (picture: PictureSource, options?: ClassifyOptions): Promise<readonly Prediction[]>;
  (pictures: readonly PictureSource[], options?: ClassifyOptions): Promise<readonly (readonly Prediction[])[]>;
  /** Features of pictures, to compare them by. @throws {FormatError | GraphError} */
  embed(picture: PictureSource, options?: FeatureOptions): Promise<Tensor>;
  /** The same for several, in their order; the first that fails is told. */
  embed(pictures: readonly PictureSource[], options?: FeatureOptions): Promise<readonly Tensor[]>;
  /** Answers in the order of the pictures, of which no more are taken than two runs need. A damaged one has an error. */
  each(
    pictures: Iterable<PictureSource> | AsyncIterable<PictureSource>,
    options?: ClassifyOptions,
  ): AsyncGenerator<Answer>;
  /** The same as an object stream, for pipelines: pictures in, answers out, in their order. */
  stream(options?: ClassifyOptions): Duplex;
  /** Names of the classes, where they have some. */
  readonly labels: readonly string[] | undefined;
  /** Ends calls on their way with a DisposedError. May be called twice. */
  dispose(): void;
}

const BATCH = 16;
const TOP = 5;

/** How a classifier runs. */
type Running = Pick<ClassifierOptions, 'batch' | 'device' | 'threads' | 'latency' | 'maxPixels'>;

/** Opens a net and makes it ready; see `loadClassifier`. */
export async function openClassifier(source: string, options: ClassifierOptions = {}): Promise<Classifier> {
  const { batch, device, threads, latency, maxPixels, ...described } = options;
  return classifierOver(await describeNet(source, described), { batch, device, threads, latency, maxPixels });
}

/** A classifier of a net that is at hand. @throws {CortadoError} when it is none */
export async function classifierOver(net: DescribedNet, options: Running): Promise<Classifier> {
  const { batch = BATCH, device, threads, latency, maxPixels } = options;
  if (!(Number.isSafeInteger(batch) && batch >= 1))
    throw new UsageError(`batch: expected a whole number of at least 1, got ${batch}`);
  const spec = pictureSpec(net.graph, net.picture);
  const model = await readyModel(net, {
    batch: batch * spec.rows,
    ...(device !== undefined && { device }),
    ...(threads !== undefined && { threads }),
  });
  const gather = { ...(latency !== undefined && { latency }), ...(maxPixels !== undefined && { maxPixels }) };
  return classifierOf(new PictureNet(model, spec, gather), net);
}

/** The functions of a classifier over a net that is ready. */
export function classifierOf(net: PictureNet, described: Pick<DescribedNet, 'labels' | 'embedding'>): Classifier {
  const { labels } = described;
  const { graph } = net.model;
  const answer = answerOf(graph);
  const classify = async (picture: PictureSource, { top = TOP, signal }: ClassifyOptions): Promise<Prediction[]> => {
    if (!(Number.isSafeInteger(top) && top >= 1))
      throw new UsageError(`top: expected a whole number of at least 1, got ${top}`);
    const { data } = await net.look(picture, answer.name, signal);
    return best(data, isNormalized(answer), top, labels);
  };
  const embed = async (picture: PictureSource, { layer, signal }: FeatureOptions): Promise<Tensor> => {
    const named = layer ?? described.embedding;
    const value = named === undefined ? featuresOf(answer) : graph.value(named);
    const features = await net.look(picture, value.name, signal);
    return named === undefined ? overPlaces(features) : features;
  };
  const each = (
    pictures: Iterable<PictureSource> | AsyncIterable<PictureSource>,
    options: ClassifyOptions = {},
  ): AsyncGenerator<Answer> =>
    inOrder(pictures, 2 * net.batch, async (picture) => {
      try {
        return { picture, predictions: await classify(picture, options) };
      } catch (error) {
        if (isOfPicture(error)) return { picture, error };
        throw error;
      }
    });
  const dispose = (): void => {
    net.close();
    net.model.dispose();
  };
  return Object.assign(oneOrMany(net, classify), {
    embed: oneOrMany(net, embed),
    each,
    stream: (options: ClassifyOptions = {}) => streamOf(each, options),
    labels,
    dispose,
    [Symbol.dispose]: dispose,
    [Symbol.asyncDispose]: async () => {
      net.close();
      await net.model[Symbol.asyncDispose]();
    },
  });
}

/** The same for several pictures, of which the first that fails ends the others. */
function oneOrMany<O extends LookOptions, R>(
  net: PictureNet,
  one: (picture: PictureSource, options: O) => Promise<R>,
): {
  (picture: PictureSource, options?: O): Promise<R>;
  (pictures: readonly PictureSource[], options?: O): Promise<readonly R[]>;
} {
  const many = async (pictures: readonly PictureSource[], options: O): Promise<readonly R[]> => {
    const controller = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, controller.signal]) : controller.signal;
    const answers: R[] = [];
    try {
      const made = inOrder(pictures, 2 * net.batch, (picture) => one(picture, { ...options, signal }));
      for await (const answer of made) answers.push(answer);
      return answers;
    } finally {
      controller.abort();
    }
  };
  return ((source: PictureSource | readonly PictureSource[], options = {} as O) =>
    Array.isArray(source) ? many(source, options) : one(source as PictureSource, options)) as ReturnType<
    typeof oneOrMany<O, R>
  >;
}

/** Whether an error says something of the picture, and nothing of the model or the machine. */
function isOfPicture(error: unknown): error is CortadoError {
  return error instanceof CortadoError && ['FORMAT', 'USAGE', 'SHAPE'].includes(error.code);
}

function streamOf(each: Classifier['each'], { signal, ...options }: ClassifyOptions): Duplex {
  const controller = new AbortController();
  const all = signal ? AbortSignal.any([signal, controller.signal]) : controller.signal;
  const stream = Duplex.from((pictures: AsyncIterable<PictureSource>) => each(pictures, { ...options, signal: all }));
  // What nobody will read need not be computed.
  return stream.once('close', () => controller.abort());
}

/** Of maps (C, H, W), the mean of each. */
function overPlaces({ data, shape }: Tensor): Tensor {
  const [channels = 1, ...places] = shape;
  const size = count(places);
  if (size === 1) return { data, shape: [channels] };
  const means = Float32Array.from({ length: channels }, (_, c) => {
    let sum = 0;
    for (let i = c * size; i < (c + 1) * size; i++) sum += data[i]!;
    return sum / size;
  });
  return { data: means, shape: [channels] };
}
