import { rootOf, type Program, type Ref, type Step } from '../program.js';
import { countReaders } from './fuse.js';

/**
 * Joins local response normalisation with the max pooling behind it and, backward, both with the ReLU before them, where
 * nobody else reads what lies between: one pass over memory instead of two or three.
 */
export function fuseLrnPool(program: Program): Program {
  const root = (ref: Ref): number => rootOf(program.views, ref.id);
  const readers = countReaders(program, root);
  const makers = new Map<number, number>();
  const steps: (Step | undefined)[] = program.steps.slice();
  /** The step that made `ref`, if its kernel is that and nobody but the asker reads its result. */
  const maker = (ref: Ref | undefined, kernel: string): number | undefined => {
    const at = ref && readers.get(root(ref)) === 1 ? makers.get(root(ref)) : undefined;
    return at !== undefined && steps[at]?.kernel === kernel ? at : undefined;
  };
  program.steps.forEach((step, i) => {
    const joined = joinForward(step) ?? joinBackward(step) ?? joinRelu(step);
    if (joined) {
      steps[joined.at] = undefined;
      steps[i] = joined.step;
    }
    if (step.outputs[0]) makers.set(root(step.outputs[0]), i);
  });
  return { ...program, steps: steps.filter((step) => step !== undefined) };

  function joinForward(pool: Step): Joined | undefined {
    const at = pool.kernel === 'maxPool' ? maker(pool.inputs[0], 'lrn') : undefined;
    if (at === undefined) return undefined;
    const lrn = steps[at]!;
    const [y, mask, code] = pool.outputs;
    if (!y || mask || !isSmall(pool)) return undefined;
    const attributes = { ...lrn.attributes, ...pool.attributes };
    return { at, step: { ...pool, kernel: 'lrn_maxPool', inputs: lrn.inputs, outputs: [y, code], attributes } };
  }

  function joinBackward(lrn: Step): Joined | undefined {
    const at = lrn.kernel === 'lrn_grad' ? maker(lrn.inputs[0], 'maxPool_grad') : undefined;
    if (at === undefined) return undefined;
    const pool = steps[at]!;
    const [, x] = lrn.inputs;
    // A thread takes whole images, and its planes must fit the caches.
    if (!isSmall(pool) || x!.shape[0]! < FEW_IMAGES || x!.shape[2]! * x!.shape[3]! > LARGE_PLANE) return undefined;
    const attributes = { ...lrn.attributes, ...pool.attributes, relu: 0 };
    return { at, step: { ...lrn, kernel: 'lrn_maxPool_grad', inputs: [...pool.inputs, x], attributes } };
  }

  function joinRelu(relu: Step): Joined | undefined {
    const plain = relu.kernel === 'relu_grad' && relu.attributes.slope === 0;
    const at = plain ? maker(relu.inputs[0], 'lrn_maxPool_grad') : undefined;
    if (at === undefined) return undefined;
    const both = steps[at]!;
    if (root(both.inputs[2]!) !== root(relu.inputs[1]!)) return undefined;
    return { at, step: { ...both, outputs: relu.outputs, attributes: { ...both.attributes, relu: 1 } } };
  }
}

/** A step that does its own work and that of the step at `at`. */
interface Joined {
  readonly at: number;
  readonly step: Step;
}

const FEW_IMAGES = 8;
const LARGE_PLANE = 4096;

/** A window whose gradient is gathered from codes of one byte: native/cpu/pool_grad.h. */
function isSmall({ attributes }: Step): boolean {
  const { kernelH, kernelW, strideH, strideW } = attributes as Readonly<Record<string, number>>;
  return kernelH! <= 8 && kernelW! <= 8 && strideH! <= 2 && strideW! <= 2;
}
