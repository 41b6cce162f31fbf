import { openDevice } from './device.js';
import { UsageError } from './errors.js';
import type { Graph } from './graph.js';
import { Model } from './model.js';
import { info } from './native.js';
import type { Passes, Precision } from './passes/index.js';
import type { Solver } from './solvers/solver.js';

export interface CompileOptions {
  /**
   * Where the model lives and runs: `cpu`; `cuda` or `cuda:1`, a GPU by its number; `auto`, what CORTADO_DEVICE names or
   * else the first GPU, or the CPU where there is none; `cuda-sim`, the GPU's code run by the CPU, for tests. Default
   * `auto`; with `weightsOf` that model's.
   */
  readonly device?: string;
  /** Images that one run takes at most; fewer are always welcome. Default: the graph's own. */
  readonly batch?: number;
  /**
   * What inner products and convolutions may round their inputs to; tensors, sums and all else stay float32. Default
   * `float32`. On a GPU with cuDNN and cuBLASLt: `tf32`, ten binary digits behind the point; `bfloat16`, seven;
   * `float16`, ten, each tensor scaled by a power of two so that nothing overflows or vanishes (inner products take
   * TF32, of as many digits). On the CPU: `bfloat16` lets runs that change no parameters, of at most 4 images, read the
   * weights of dense layers as bfloat16: such runs wait for nothing else. Larger batches and training stay float32.
   */
  readonly precision?: Precision;
  /** Threads of a run. Default CORTADO_THREADS or the physical cores. */
  readonly threads?: number;
  /** Of parameters and dropout; a whole number. Default 1. */
  readonly seed?: number;
  /**
   * Shares the parameters of that model, which must have those of this graph, instead of having its own: a net for
   * evaluation beside the one that is trained. Its runs queue up with the owner's, and end with the owner's disposal.
   */
  readonly weightsOf?: Model;
  /** Makes `step()` possible. */
  readonly solver?: Solver;
  /** `none` runs the steps as the ops wrote them: slower, the same numbers. Default `all`. */
  readonly passes?: Passes;
}

/**
 * Makes a graph ready to run: allocates and fills its parameters. Plans are made on first use, one for each batch size and
 * set of results, and share the parameters.
 * @throws {DeviceError | UsageError | OutOfMemoryError | AddonError}
 */
export async function compile<I extends string, O extends string>(
  graph: Graph<I, O>,
  options: CompileOptions = {},
): Promise<Model<I, O>> {
  const { precision = 'float32' } = options;
  const { weightsOf, solver } = options;
  if (weightsOf && solver)
    throw new UsageError(
      `${graph.name}: expected either a solver or weightsOf, whose own solver updates them, got both`,
    );
  const device = weightsOf ? weightsOf.device : openDevice(options.device);
  if (weightsOf && options.device !== undefined && openDevice(options.device) !== device)
    throw new UsageError(`${graph.name}: expected the device of weightsOf, ${device.name}, got ${options.device}`);
  if (!device.precisions.includes(precision))
    throw new UsageError(
      `precision: expected ${device.precisions.join(' or ')} on ${device.name}, got ${String(precision)}`,
    );
  const model = new Model(graph, {
    device,
    batch: whole('batch', options.batch ?? graph.batch, 1, 2 ** 31),
    threads: whole('threads', options.threads ?? info().threads, 1, 1024),
    seed: whole('seed', options.seed ?? 1, 0, Number.MAX_SAFE_INTEGER),
    solver,
    passes: options.passes ?? 'all',
    precision,
    weightsOf,
  });
  if (weightsOf) return model;
  try {
    await model.initialize();
  } catch (error) {
    model.dispose();
    throw error;
  }
  return model;
}

function whole(what: string, value: number, least: number, most: number): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw new UsageError(`${what}: expected a whole number from ${least} to ${most}, got ${value}`);
}
