/** Layers of other nets than AlexNet: shapes.json. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as cortado from '../lib/index.js';
import type { Value } from '../lib/index.js';
import type { Case, Library } from './kernels.js';

export interface Layer {
  readonly name: string;
  readonly op: 'conv2d' | 'deconv2d' | 'maxPool' | 'averagePool';
  readonly image: readonly [number, number, number];
  readonly filters?: number;
  readonly kernel: readonly [number, number];
  readonly stride?: number;
  readonly pad?: readonly [number, number];
  readonly dilation?: number;
  readonly groups?: number;
}

/** Those whose names match. */
export function layersOf(filter: RegExp): readonly Layer[] {
  const all = JSON.parse(readFileSync(join(import.meta.dirname, 'shapes.json'), 'utf8')) as readonly Layer[];
  return all.filter(({ name }) => filter.test(name));
}

/** A layer as a library builds it, windows rounded as PyTorch does: down. */
export function caseOf(layer: Layer, { averagePool, conv2d, deconv2d, maxPool }: Library = cortado): Case {
  const { name, op, image, filters, kernel, stride = 1, pad = [0, 0], dilation = 1, groups = 1 } = layer;
  const window = { name, kernel, stride, pad };
  const build = (x: Value): Value => {
    if (op === 'maxPool') return maxPool(x, { ...window, round: 'floor' });
    if (op === 'averagePool') return averagePool(x, { ...window, round: 'floor' });
    return (op === 'conv2d' ? conv2d : deconv2d)(x, { ...window, filters: filters!, dilation, groups });
  };
  return { name, input: image, build };
}
