import { setImmediate } from 'node:timers/promises';
import type { Device } from './device.js';
import { DeviceInputs, DeviceTensor } from './device-inputs.js';
import { GraphError, ShapeError, UsageError } from './errors.js';
import type { Graph, Value } from './graph.js';
import { rethrow, type NativeCopy, type NativeImages, type NativeMemory } from './native.js';
import { checkImages, isImages, type Images } from './pixels.js';
import { count, format, same, type Shape } from './shape.js';
import type { Tensor, TensorData } from './tensor.js';

/** A tensor of another library, read where it is: onnxruntime's has `data` and `dims`, that of TensorFlow.js `dataSync()`. */
export type ForeignTensor =
  | { readonly data: unknown; readonly dims: readonly number[] }
  /**  */
  | {
      readonly shape: readonly number[];
      /** Its elements, brought to the processor. */
      dataSync(): unknown;
    };

/**
 * What a caller may hand in for one input: numbers alone (their count gives the batch), numbers with a shape, pictures that
 * are normalized on their way, another library's tensor, or what `upload` has brought to the device. Arrays may lie in shared
 * memory; they are copied once, into the model's memory.
 */
export type Feed = TensorData | readonly number[] | Tensor<TensorData> | Images | ForeignTensor | DeviceTensor;

/** Checked numbers and how many images they are. */
export interface Checked {
  readonly data: TensorData;
  readonly shape: Shape;
  /** How these numbers are to be normalized; undefined: not at all. */
  readonly images?: NativeImages | undefined;
}

/** A checked input that lies on the device already. */
export interface Resident {
  readonly tensor: DeviceTensor;
  readonly shape: Shape;
}

/** What a feed holds, before its shape is checked. */
interface Given {
  readonly source: Omit<Checked, 'shape'> | Omit<Resident, 'shape'>;
  readonly length: number;
  readonly shape: Shape | undefined;
}

/**
 * Checks fed inputs against the graph, the device and each other, and finds the batch.
 * @throws {ShapeError | GraphError | UsageError | DisposedError}
 */
export function checkFeeds(
  graph: Graph,
  feeds: Readonly<Record<string, Feed | undefined>>,
  most: number,
  device: Device,
): { batch: number; feeds: Map<Value, Checked | Resident> } {
  const checked = new Map<Value, Checked | Resident>();
  let batch: number | undefined;
  let from = '';
  for (const [name, feed] of Object.entries(feeds)) {
    if (feed === undefined) continue;
    const value = Object.hasOwn(graph.inputs, name) ? graph.inputs[name] : undefined;
    if (!value)
      throw new GraphError(
        `${graph.name}: expected inputs among ${Object.keys(graph.inputs).join(', ')}, got "${name}"`,
      );
    const given = givenBy(name, feed, device);
    if (!graph.inputSpecs[name]!.batched) {
      checkFixed(name, value.shape, given);
      checked.set(value, { ...given.source, shape: value.shape });
      continue;
    }
    const n = imagesIn(name, value.shape.slice(1), given);
    if (batch !== undefined && n !== batch)
      throw new ShapeError(`${name}: expected ${batch} rows as in ${from}, got ${n}`);
    if (n > most)
      throw new ShapeError(`${name}: expected at most the ${most} rows that the model was compiled for, got ${n}`);
    [batch, from] = [n, name];
    checked.set(value, { ...given.source, shape: [n, ...value.shape.slice(1)] });
  }
  return { batch: batch ?? most, feeds: checked };
}

function givenBy(name: string, feed: Feed, device: Device): Given {
  if (feed instanceof DeviceTensor) {
    checkResident(name, feed, device);
    return { source: { tensor: feed }, length: count(feed.shape), shape: feed.shape };
  }
  if (isPictures(feed)) {
    const { data, shape } = feed;
    return { source: { data, images: checkImages(name, feed) }, length: data.length, shape };
  }
  const { data, shape } = dataOf(name, feed);
  return { source: { data }, length: data.length, shape };
}

function checkResident(name: string, tensor: DeviceTensor, device: Device): void {
  if (tensor.device !== device)
    throw new UsageError(
      `${name}: expected a tensor on ${device.name}, as the model is, got one on ${tensor.device.name}: upload it by this model`,
    );
  tensor.place();
}

/**
 * The numbers of a feed.
 * @throws {UsageError} also for pictures, whose numbers are not what a model would see, and for what lies on a device
 */
export function dataOf(name: string, feed: Feed): { data: TensorData; shape: Shape | undefined } {
  if (feed instanceof DeviceTensor)
    throw new UsageError(`${name}: expected numbers, got a tensor that lies on ${feed.device.name}`);
  if (isPictures(feed)) throw new UsageError(`${name}: expected numbers, got pictures to be normalized`);
  if (isData(feed)) return { data: feed, shape: undefined };
  if (isNumbers(feed)) return { data: Float32Array.from(feed), shape: undefined };
  // Callers in JavaScript may hand in anything.
  const { data, shape } = (typeof feed === 'object' && feed !== null ? native(feed) : {}) as Partial<
    Tensor<TensorData>
  >;
  if (!isData(data) || !isNumbers(shape)) {
    throw new UsageError(
      `${name}: expected a Float32Array, Float64Array, Int32Array, Uint8Array, list of numbers or { data, shape }`,
    );
  }
  if (count(shape) !== data.length)
    throw new ShapeError(`${name}: expected ${count(shape)} elements for shape ${format(shape)}, got ${data.length}`);
  return { data, shape };
}

// Callers in JavaScript may hand in anything.
function isPictures(feed: Feed): feed is Images {
  return typeof feed === 'object' && feed !== null && !('dataSync' in feed) && isImages(feed);
}

/** Another library's tensor by our names. */
function native(feed: object): object {
  if ('dims' in feed && 'data' in feed) return { data: feed.data, shape: feed.dims };
  if (!('dataSync' in feed) || typeof feed.dataSync !== 'function') return feed;
  const tensor = feed as Extract<ForeignTensor, { dataSync(): unknown }>;
  return { data: tensor.dataSync(), shape: tensor.shape };
}

function isNumbers(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((v) => typeof v === 'number');
}

function isData(value: unknown): value is TensorData {
  return (
    value instanceof Float32Array ||
    value instanceof Float64Array ||
    value instanceof Int32Array ||
    value instanceof Uint8Array
  );
}

const told = ({ shape, length }: Given): string => (shape ? format(shape) : `${length} elements`);

function checkFixed(name: string, expected: Shape, given: Given): void {
  const { shape, length } = given;
  if (shape ? !same(shape, expected) : length !== count(expected))
    throw new ShapeError(`${name}: expected shape ${format(expected)}, got ${told(given)}`);
}

function imagesIn(name: string, row: Shape, given: Given): number {
  const { shape, length } = given;
  const n = shape ? shape[0]! : length / count(row);
  const fits = shape ? same(shape.slice(1), row) && n > 0 : Number.isInteger(n) && n > 0;
  if (fits) return n;
  throw new ShapeError(
    `${name}: expected shape (N, ${row.join(', ')}) or a multiple of ${count(row)} elements, got ${told(given)}`,
  );
}

/** Elements copied at a time: about a millisecond, so that the event loop never waits longer for a big batch. */
const CHUNK = 1 << 20;

/**
 * Copies an input to its place, letting the event loop breathe between pieces; gives a promise where there are several.
 * @throws {UsageError} when the numbers are gone: their buffer was transferred after the call
 * @throws {DisposedError}
 */
export function stage(
  memory: NativeMemory,
  offset: number,
  { data, shape, images }: Checked,
): Promise<void> | undefined {
  if (images) return stageImages(memory, offset, images, shape[0]!);
  const elements = count(shape);
  return inPieces(elements, CHUNK, (start, end) => memory.write(offset + 4 * start, data, start, end));
}

/** Writes all of `total` by pieces of at most `most`, between which the event loop turns. */
function inPieces(total: number, most: number, write: (start: number, end: number) => void): Promise<void> | undefined {
  rethrow(() => write(0, Math.min(total, most)));
  return total > most ? inLaterPieces(total, most, write) : undefined;
}

async function inLaterPieces(total: number, most: number, write: (start: number, end: number) => void): Promise<void> {
  for (let start = most; start < total; start += most) {
    await setImmediate();
    rethrow(() => write(start, Math.min(total, start + most)));
  }
}

/** Copies inputs to memory of their own on a device. @throws as `stage` @throws {OutOfMemoryError} */
export async function stageApart(device: Device, feeds: ReadonlyMap<Value, Checked>): Promise<DeviceInputs> {
  const shapes = [...feeds].map(([{ name }, { shape }]) => [name, shape] as const);
  const inputs = new DeviceInputs(device, Object.fromEntries(shapes));
  try {
    for (const [{ name }, feed] of feeds) {
      const { memory, offset } = inputs.tensors[name]!.place();
      await stage(memory, offset, feed);
    }
    return inputs;
  } catch (error) {
    inputs.dispose();
    throw error;
  }
}

/** What brings an input that lies on the device to its place. @throws {DisposedError} */
export function copyOf({ tensor, shape }: Resident, to: NativeMemory, toOffset: number): NativeCopy {
  const { memory, offset } = tensor.place();
  return { from: memory, fromOffset: offset, to, toOffset, bytes: 4 * count(shape) };
}

function stageImages(
  memory: NativeMemory,
  offset: number,
  images: NativeImages,
  pictures: number,
): Promise<void> | undefined {
  const size = images.channels * images.height * images.width;
  return inPieces(pictures, Math.max(1, Math.floor(CHUNK / size)), (first, last) =>
    memory.writeImages(offset + 4 * first * size, images, first, last),
  );
}
