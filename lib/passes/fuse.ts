import { rootOf, type Program, type Ref, type Step } from '../program.js';
import { same } from '../shape.js';
import type { Target } from './target.js';

/** Kernels that can apply a ReLU to their result while it is still in registers. */
const TAKES_RELU: ReadonlySet<string> = new Set(['conv2d', 'deconv2d', 'dense']);

/**
 * Lets a convolution or dense layer apply the plain ReLU behind it, when nobody else reads what lies between; and where
 * its kernel can hold results under a ceiling, a clip from 0 on, which is what a ReLU6 is.
 */
export function fuseRelu(program: Program, { ceilings }: Target): Program {
  const root = (ref: Ref): number => rootOf(program.views, ref.id);
  const readers = countReaders(program, root);
  const isOnlyReader = (ref: Ref): boolean => readers.get(root(ref)) === 1;
  const makers = new Map<number, number>();
  const steps: (Step | undefined)[] = program.steps.slice();
  program.steps.forEach((step, i) => {
    const [x] = step.inputs;
    const ceiling = ceilingOf(step);
    const maker = x && ceiling !== undefined ? makers.get(root(x)) : undefined;
    const before = maker === undefined ? undefined : steps[maker];
    const takes = ceiling === Infinity || ceilings?.has(before?.kernel ?? '');
    if (maker !== undefined && before && takes && isOnlyReader(x!) && same(x!.shape, before.outputs[0]!.shape)) {
      const relu = ceiling === Infinity ? 1 : [1, ceiling!];
      steps[i] = { ...before, outputs: step.outputs, attributes: { ...before.attributes, relu } };
      steps[maker] = undefined;
    } else if (TAKES_RELU.has(step.kernel) && step.attributes.relu === 0 && step.outputs[0]) {
      makers.set(root(step.outputs[0]), i);
    }
  });
  return { ...program, steps: steps.filter((step) => step !== undefined) };
}

/** What a step holds its values under, which it holds above 0; undefined for all that do something else. */
function ceilingOf({ kernel, attributes }: Step): number | undefined {
  if (kernel === 'relu' && attributes.slope === 0) return Infinity;
  return kernel === 'clip' && attributes.min === 0 ? (attributes.max as number) : undefined;
}

/** How many times each root is read, the caller's reading of results included. */
export function countReaders(program: Program, root: (ref: Ref) => number): Map<number, number> {
  const readers = new Map<number, number>();
  const count = (ref: Ref | undefined): void => {
    if (ref) readers.set(root(ref), (readers.get(root(ref)) ?? 0) + 1);
  };
  for (const step of program.steps) step.inputs.forEach(count);
  program.results.forEach(count);
  return readers;
}
