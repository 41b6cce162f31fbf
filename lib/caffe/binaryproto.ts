import { readBinary, writePieces, type Source } from '../file.js';
import { checkBlob, decodeBlob, encodeBlob, type Blob } from './blob.js';
import type { ReadOptions } from './caffemodel.js';

/**
 * Reads a single blob, such as a mean image: `.binaryproto`, gzipped or not.
 * @throws {FormatError}
 */
export async function readBinaryproto(source: Source, options: ReadOptions = {}): Promise<Blob> {
  return decodeBlob(await readBinary(source), options);
}

/** Writes a single blob; with `legacy`, as num, channels, height, width. @throws {ShapeError} */
export async function writeBinaryproto(path: string, blob: Blob): Promise<void> {
  checkBlob(blob, path);
  await writePieces(path, encodeBlob(blob));
}
