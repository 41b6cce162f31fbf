import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Tensor } from '../../lib/index.js';
import { decodeNpy } from '../../lib/npy.js';

/** Reads a .npy file as a float32 tensor. */
export async function readArray(folder: string, file: string): Promise<Tensor> {
  const { data, shape } = decodeNpy(await readFile(join(folder, file)), file);
  return { data: Float32Array.from(data), shape };
}
