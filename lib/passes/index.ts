import type { Program } from '../program.js';
import { checkFinite } from './finite.js';
import { fuseRelu } from './fuse.js';
import { keepPrepared } from './keep.js';
import { packFilters } from './pack.js';
import { prune } from './prune.js';
import { CPU, type Target } from './target.js';
import { useWinograd } from './winograd.js';

export { placeInArena, placeKept, roundUp, sizeOf, type Layout } from './memory.js';

/** `none` leaves every step as the ops wrote it: the oracle that the other passes are tested against. */
export type Passes = 'all' | 'none';

/** Rewrites a program so that it gives the same results sooner; with `finite`, it looks for NaN everywhere on the way. */
export function optimize(program: Program, passes: Passes, finite = false, target: Target = CPU): Program {
  const pruned = prune(program);
  return checkFinite(passes === 'none' ? pruned : rewrite(pruned, target), finite);
}

function rewrite(program: Program, target: Target): Program {
  const fused = fuseRelu(program);
  const fast = target.kernels.has('conv2d_winograd') ? useWinograd(fused) : fused;
  return keepPrepared(target.kernels.has('conv2d_packed') ? packFilters(fast) : fast);
}
