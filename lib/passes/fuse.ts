import { rootOf, type Program, type Ref, type Step } from '../program.js';
import { same } from '../shape.js';

/** Kernels that can apply a ReLU to their result while it is still in registers. */
const TAKES_RELU: ReadonlySet<string> = new Set(['conv2d', 'deconv2d', 'dense']);

/** Lets a convolution or dense layer apply the plain ReLU behind it, when nobody else reads what lies between. */
export function fuseRelu(program: Program): Program {
  const root = (ref: Ref): number => rootOf(program.views, ref.id);
  const readers = countReaders(program, root);
  const isOnlyReader = (ref: Ref): boolean => readers.get(root(ref)) === 1;
  const makers = new Map<number, number>();
  const steps: (Step | undefined)[] = program.steps.slice();
  program.steps.forEach((step, i) => {
    const [x] = step.inputs;
    const maker = x && step.kernel === 'relu' && step.attributes.slope === 0 ? makers.get(root(x)) : undefined;
    const before = maker === undefined ? undefined : steps[maker];
    if (maker !== undefined && before && isOnlyReader(x!) && same(x!.shape, before.outputs[0]!.shape)) {
      steps[i] = { ...before, outputs: step.outputs, attributes: { ...before.attributes, relu: 1 } };
      steps[maker] = undefined;
    } else if (TAKES_RELU.has(step.kernel) && step.attributes.relu === 0 && step.outputs[0]) {
      makers.set(root(step.outputs[0]), i);
    }
  });
  return { ...program, steps: steps.filter((step) => step !== undefined) };
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
