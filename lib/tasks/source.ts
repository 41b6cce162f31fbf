import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { FormatError, UsageError } from '../errors.js';
import { decodeImage, type Image } from '../images/index.js';

/**
 * A picture as programs have it: the path or file: URL of a file; its bytes, in memory or as a stream; decoded pixels; or
 * a function that gives those when its turn comes.
 */
export type PictureSource =
  | string
  | URL
  | Uint8Array
  | ArrayBuffer
  | SharedArrayBuffer
  | Blob
  | AsyncIterable<Uint8Array>
  | Image
  | (() => Image | Promise<Image>);

/** A picture that is at hand: decoding it waits for nothing but the processor. */
export type ReadSource = Exclude<
  PictureSource,
  URL | ArrayBuffer | SharedArrayBuffer | Blob | AsyncIterable<Uint8Array>
>;

/** No picture is larger: a stream without an end must not take all memory. */
const MOST_BYTES = 2 ** 28;

/** Brings a picture to hand. @throws {UsageError} for what is no picture at all */
export async function readSource(source: PictureSource, signal?: AbortSignal): Promise<ReadSource> {
  if (typeof source === 'string' || typeof source === 'function') return source;
  // sharp takes no bytes that another thread may change meanwhile.
  if (source instanceof Uint8Array) return source.buffer instanceof SharedArrayBuffer ? source.slice() : source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (source instanceof SharedArrayBuffer) return new Uint8Array(source).slice();
  if (source instanceof URL) {
    if (source.protocol === 'file:') return fileURLToPath(source);
    throw new UsageError(`picture: expected a file: URL, got ${source.href}`);
  }
  if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
  if (typeof source === 'object' && source !== null) {
    if (Symbol.asyncIterator in source) return untilAborted(buffer(bounded(source)), signal);
    if (isImage(source)) return source;
  }
  throw new UsageError(
    'picture: expected a path, bytes, a stream of them, or { data, width, height } of red, green, blue',
  );
}

/** Decodes a picture that is at hand. @throws {FormatError} */
export async function decodeSource(source: ReadSource, maxPixels: number | undefined): Promise<Image> {
  if (typeof source === 'function') return source();
  if (typeof source === 'object' && 'width' in source) return source;
  return decodeImage(source, maxPixels === undefined ? {} : { maxPixels });
}

function isImage(source: object): source is Image {
  const { data, width, height } = source as Partial<Image>;
  return data instanceof Uint8Array && data.length > 0 && data.length === 3 * Number(width) * Number(height);
}

async function* bounded(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) throw new FormatError(`picture: expected at most ${MOST_BYTES} bytes from a stream`);
    yield chunk;
  }
}

/** Waits no longer than the signal allows: a stream may never give its next piece. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  const end = new AbortController();
  const aborted = new Promise<never>((_, reject) => {
    const stop = (): void => reject(signal.reason as Error);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true, signal: end.signal });
  });
  return Promise.race([work, aborted]).finally(() => end.abort());
}
