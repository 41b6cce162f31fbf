import type { Program } from '../program.js';
import { spaceToDepth } from './depth.js';
import { fillChannels } from './fill.js';
import { useDepthwise } from './depthwise.js';
import { checkFinite } from './finite.js';
import { useFlat } from './flat.js';
import { fuseRelu } from './fuse.js';
import { fuseWindows } from './fuse-windows.js';
import { storeAsHalves } from './halves.js';
import { keepPrepared } from './keep.js';
import { putChannelsLast } from './layout.js';
import { packFilters } from './pack.js';
import { multiplyAsBf16, storeAsInt8, type Precision } from './precision.js';
import { usePointwise } from './pointwise.js';
import { prune } from './prune.js';
import { useRows } from './rows.js';
import { useShallow } from './shallow.js';
import { CPU, PLAIN, type Target } from './target.js';
import { useWinograd } from './winograd.js';

export { CPU_PRECISIONS, type Precision } from './precision.js';
export type { LrnPool, Takes } from './lrn-pool.js';
export { CPU, GPU, type Depth, type HalfSlots, type Layouts, type Target, type Updates } from './target.js';
export { placeInArena, placeKept, roundUp, sizeOf, type Layout } from './memory.js';

/** `none` leaves every step as the ops wrote it: the oracle that the other passes are tested against. */
export type Passes = 'all' | 'none';

export interface Settings {
  readonly passes: Passes;
  readonly precision: Precision;
  /** Default: what the CPU can do. */
  readonly target?: Target;
}

/** Rewrites a program so that it gives the same results sooner; with `finite`, it looks for NaN everywhere on the way. */
export function optimize(program: Program, settings: Settings, finite = false): Program {
  const pruned = prune(program);
  if (settings.passes === 'none') return checkFinite(pruned, finite, PLAIN);
  const target = settings.target ?? CPU;
  return checkFinite(rewrite(pruned, settings.precision, target), finite, target);
}

function rewrite(program: Program, precision: Precision, target: Target): Program {
  const has = (kernel: string): boolean => target.kernels.has(kernel);
  let fast = fuseRelu(program, target);
  if (has('conv2d_depthwise')) fast = useDepthwise(fast);
  if (has('conv2d_flat')) fast = useFlat(fast);
  if (has('conv2d_winograd_shallow')) fast = useShallow(fast);
  if (has('conv2d_winograd')) fast = useWinograd(fast);
  if (has('dense_int8') && precision === 'int8') fast = storeAsInt8(fast);
  if (has('dense_bf16') && precision !== 'float32') fast = multiplyAsBf16(fast);
  const depth = target.depth?.get(precision);
  if (depth) fast = spaceToDepth(fast, depth);
  if (target.layouts && precision === 'bfloat16') fast = fillChannels(fast);
  if (target.halves && (precision === 'bfloat16' || precision === 'float16'))
    fast = storeAsHalves(fast, precision, target.halves);
  if (target.layouts && precision !== 'float32')
    fast = putChannelsLast(fast, target.layouts, precision === 'tf32' ? ['f32'] : ['bf16', 'f16']);
  fast = fuseWindows(fast, target);
  if (has('conv2d_rows')) fast = useRows(fast);
  if (has('conv2d_pointwise')) fast = usePointwise(fast);
  if (has('conv2d_packed')) fast = packFilters(fast);
  return keepPrepared(fast, target.updates);
}
