import { layer, type LayerOptions, type Value } from '../graph.js';
import { check } from '../shape.js';
import { averagePool } from './average-pool.js';
import { concat } from './concat.js';
import { flattenOp } from './flatten.js';
import { maxPool } from './max-pool.js';
import { checkImages } from './window.js';

/** What `spp` takes besides values and a name. */
export interface SppOptions {
  /** Levels of the pyramid: level i pools into 2^i × 2^i bins. */
  readonly levels: number;
  /** Default `max`. */
  readonly pool?: 'max' | 'average';
}

/** Window that divides `size` pixels into `bins`, padded evenly: Caffe's spp_layer.cpp. */
function binning(size: number, bins: number): { kernel: number; pad: number } {
  const kernel = Math.ceil(size / bins);
  return { kernel, pad: Math.floor((kernel * bins - size + 1) / 2) };
}

/**
 * Spatial pyramid pooling (He et al. 2014) of `x` (N, C, H, W); result (N, C · (1 + 4 + 16 + …)), whatever H and W. Made of
 * poolings, flattenings and a concatenation.
 * @throws {ShapeError} when the last level's windows do not fit the image (Caffe pads 5 pixels by 2 for 4 bins of 2, and refuses)
 */
export function spp(x: Value, options: SppOptions & LayerOptions): Value {
  const { levels, pool = 'max', name } = options;
  checkImages(x.shape);
  check(
    Number.isSafeInteger(levels) && levels > 0 && levels < 16,
    () => `${name ?? 'spp'}: expected levels between 1 and 15, got ${levels}`,
  );
  const [, , height, width] = x.shape;
  const parts = Array.from({ length: levels }, (_, i) => {
    const bins = 2 ** i;
    const [h, w] = [binning(height, bins), binning(width, bins)];
    const kernel = [h.kernel, w.kernel] as const;
    const level = {
      kernel,
      stride: kernel,
      pad: [h.pad, w.pad] as const,
      ...(name === undefined ? {} : { name: `${name}.pool${i}` }),
    };
    const pooled = pool === 'max' ? maxPool(x, level) : averagePool(x, level);
    return layer(flattenOp, [pooled], name === undefined ? {} : { name: `${name}.flat${i}` })[0]!;
  });
  return concat(parts as [Value, ...Value[]], name === undefined ? {} : { name });
}
