import type { Attributes } from '../op.js';
import { rootOf, type Program, type Ref, type Step } from '../program.js';
import { countReaders } from './fuse.js';
import type { Target } from './target.js';

/** What takes the place of a gradient of windows that is also to be that of the ReLU before them; input `y` is what that made. */
interface Rectified {
  readonly kernel: string;
  readonly y: number;
  readonly attributes?: Attributes;
}
const RECTIFIED: ReadonlyMap<string, Rectified> = new Map([
  ['lrn_grad', { kernel: 'lrn_relu_grad', y: 1 }],
  ['maxPool_grad', { kernel: 'maxPool_relu_grad', y: 2 }],
  ['averagePool_grad', { kernel: 'averagePool_relu_grad', y: 1 }],
  ['lrn_maxPool_grad', { kernel: 'lrn_maxPool_grad', y: 2, attributes: { relu: 1 } }],
]);

/**
 * Joins local response normalisation with the max pooling behind it and, backward, the gradients of either or both with that
 * of the ReLU before them, where nobody else reads what lies between: one pass over memory instead of two or three.
 */
export function fuseWindows(program: Program, { kernels, lrnPool }: Target): Program {
  const root = (ref: Ref): number => rootOf(program.views, ref.id);
  const readers = countReaders(program, root);
  const makers = new Map<number, number>();
  const steps: (Step | undefined)[] = program.steps.slice();
  /** The step that made `ref`, if nobody but the asker reads its result. */
  const maker = (ref: Ref | undefined): number | undefined =>
    ref && readers.get(root(ref)) === 1 ? makers.get(root(ref)) : undefined;
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
    const at = pool.kernel === 'maxPool' ? maker(pool.inputs[0]) : undefined;
    const lrn = at === undefined ? undefined : steps[at];
    const [y, mask, code] = pool.outputs;
    if (at === undefined || lrn?.kernel !== 'lrn' || !y || mask) return undefined;
    const attributes = { ...lrn.attributes, ...pool.attributes };
    if (!lrnPool?.forward(lrn.inputs[0]!, attributes)) return undefined;
    return { at, step: { ...pool, kernel: 'lrn_maxPool', inputs: lrn.inputs, outputs: [y, code], attributes } };
  }

  function joinBackward(lrn: Step): Joined | undefined {
    const at = lrn.kernel === 'lrn_grad' ? maker(lrn.inputs[0]) : undefined;
    const pool = at === undefined ? undefined : steps[at];
    if (at === undefined || pool?.kernel !== 'maxPool_grad') return undefined;
    const x = lrn.inputs[1]!;
    const attributes = { ...lrn.attributes, ...pool.attributes, relu: 0 };
    if (!lrnPool?.backward(x, attributes)) return undefined;
    return { at, step: { ...lrn, kernel: 'lrn_maxPool_grad', inputs: [...pool.inputs, x], attributes } };
  }

  function joinRelu(relu: Step): Joined | undefined {
    const plain = relu.kernel === 'relu_grad' && relu.attributes.slope === 0;
    const at = plain ? maker(relu.inputs[0]) : undefined;
    const before = at === undefined ? undefined : steps[at];
    const both = before && RECTIFIED.get(before.kernel);
    if (at === undefined || !both || !kernels.has(both.kernel)) return undefined;
    const y = relu.inputs[1]!;
    const read = before.inputs[both.y];
    if (read && root(read) !== root(y)) return undefined;
    const attributes = { ...before.attributes, ...both.attributes };
    const step = { ...before, kernel: both.kernel, inputs: before.inputs.toSpliced(both.y, 1, y), attributes };
    return { at, step: { ...step, outputs: relu.outputs } };
  }
}

/** A step that does its own work and that of the step at `at`. */
interface Joined {
  readonly at: number;
  readonly step: Step;
}
