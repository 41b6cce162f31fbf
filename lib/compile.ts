import { openDevice } from './device.js';
import { UsageError } from './errors.js';
import type { Feed } from './feed.js';
import type { Graph } from './graph.js';
import { Model } from './model.js';
import { info } from './native.js';
import type { Passes, Precision } from './passes/index.js';
import type { Solver } from './solvers/solver.js';

/** How a graph is made ready to run. */
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
   * What inner products and convolutions may round their inputs to; sums, parameters and updates stay float32, and so do
   * tensors on the CPU. Default `float32`. On the CPU `bfloat16` does so to dense layers and to convolutions that
   * Winograd's algorithm does not do sooner, forward and backward, in training too: CPUs with AVX512-BF16 do that twice as
   * fast, others give the same to rounding and gain with a few images alone. `int8` moreover reads the weights of dense
   * layers as 8 bits with a scale for each unit, in runs of at most 4 images, and has no solver. On a GPU with cuDNN and
   * cuBLASLt: `tf32`, ten binary digits behind the point; `bfloat16`, seven; `float16`, ten, the tensors of a convolution
   * scaled by a power of two so that no sum overflows (inner products take TF32, of as many digits). There `bfloat16` and
   * `float16` also keep what lies between layers in 16 bits, except what is asked for, losses and softmax: values in that
   * type, which for `float16` ends at 65504, gradients as bfloat16, whose range needs no scale for the loss.
   */
  readonly precision?: Precision;
  /** Threads of a run. Default CORTADO_THREADS or the physical cores. */
  readonly threads?: number;
  /** Of parameters and dropout; a whole number. Default 1. */
  readonly seed?: number;
  /**
   * First values of parameters, by name, instead of drawn ones: what `model.load` takes, without the time that drawing takes.
   */
  readonly weights?: Readonly<Record<string, Feed>>;
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
 * @throws {GraphError | ShapeError} for weights that are not the graph's
 */
export async function compile<I extends string, O extends string>(
  graph: Graph<I, O>,
  options: CompileOptions = {},
): Promise<Model<I, O>> {
  const { precision = 'float32' } = options;
  const { weightsOf, solver, weights } = options;
  if (weightsOf && weights)
    throw new UsageError(`${graph.name}: expected either weights or weightsOf, whose parameters are shared, got both`);
  if (weightsOf && solver)
    throw new UsageError(
      `${graph.name}: expected either a solver or weightsOf, whose own solver updates them, got both`,
    );
  if (precision === 'int8' && solver)
    throw new UsageError(`${graph.name}: expected float32 or bfloat16 for training, got int8, which is for inference`);
  const device = weightsOf ? weightsOf.device : await openDevice(options.device);
  if (weightsOf && options.device !== undefined && (await openDevice(options.device)) !== device)
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
    await model.initialize(weights);
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
