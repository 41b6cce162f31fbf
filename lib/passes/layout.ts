import type { DType, Program, Ref } from '../program.js';
import { Copies, type Forms } from './copies.js';
import type { Layouts, Target } from './target.js';

type Order = 'channelsFirst' | 'channelsLast';

const BY_ORDER: Forms<Order> = {
  of: ({ channelsLast = false }) => (channelsLast ? 'channelsLast' : 'channelsFirst'),
  as: (ref, order) => ({ ...ref, channelsLast: order === 'channelsLast' }),
};

/**
 * Lets the elements of images lie with channels last from convolution to convolution, where they are of one of `types`: that
 * is how tensor cores read them. Convolutions begin it, the kernels behind them go on with it; before the others, and before
 * what the caller reads, they are brought back. Shapes stay (n, c, h, w).
 */
export function putChannelsLast(
  program: Program,
  layouts: NonNullable<Target['layouts']>,
  types: readonly DType[],
): Program {
  const store = new Copies(program, BY_ORDER);
  const { isFree, isRead } = survey(program, layouts, (ref) => store.root(ref));
  const isLast = (ref: Ref | undefined): boolean => ref !== undefined && store.formOf(ref) === 'channelsLast';

  for (const step of program.steps) {
    const takes = layouts.get(step.kernel);
    if (takes === 'alike' && step.inputs.some(isLast)) {
      const inputs = step.inputs.map((ref) => ref && (isImages(ref) ? store.as(ref, step, 'channelsLast') : ref));
      const outputs = step.outputs.map((ref) => {
        if (!ref || !isImages(ref)) return ref;
        return isFree(ref) ? store.become(ref, 'channelsLast') : store.copy(ref, step, 'channelsLast');
      });
      store.step(step, inputs, outputs);
      step.outputs.forEach((ref, at) => ref && isImages(ref) && !isLast(ref) && store.convert(outputs[at]!, ref, step));
      continue;
    }
    const asTheyAre = takes === 'any' || takes === 'convolution';
    const inputs = step.inputs.map((ref) => ref && (asTheyAre ? store.now(ref) : store.as(ref, step, 'channelsFirst')));
    const outputs = step.outputs.map((ref) => {
      const begins = asTheyAre && ref && types.includes(ref.dtype) && isImages(ref) && isFree(ref);
      return begins && isRead(ref, takes) ? store.become(ref, 'channelsLast') : ref;
    });
    store.step(step, inputs, outputs);
  }
  return store.finish();
}

/** Of one channel or one pixel, elements lie in the same order either way. */
const isImages = ({ shape }: Ref): boolean => shape.length === 4 && shape[1]! > 1 && shape[2]! * shape[3]! > 1;
const isHalf = (type: DType): boolean => type === 'bf16' || type === 'f16';

/**
 * Which tensors may lie in another order: the program's own, of one step and of one shape, and codes only between kernels
 * that take them so. And which are read in that order: of a convolution's by any kernel that takes it, of a conversion's by a
 * convolution.
 */
function survey(program: Program, layouts: NonNullable<Target['layouts']>, root: (ref: Ref) => number) {
  const fixed = new Set([...program.results, ...program.guarded].map(root));
  const written = new Set<number>();
  const readers = new Map<number, Set<string>>();
  const isNumber = ({ dtype }: Ref): boolean => dtype === 'f32' || isHalf(dtype);
  const look = (ref: Ref): void => {
    const whole = program.refs[root(ref)]!;
    if (whole.place.kind !== 'work' || ref.shape.join() !== whole.shape.join()) fixed.add(whole.id);
  };
  for (const { kernel, inputs, outputs } of program.steps) {
    const takes = layouts.get(kernel);
    for (const ref of inputs) {
      if (!ref) continue;
      look(ref);
      if (takes !== 'alike' && !isNumber(ref)) fixed.add(root(ref));
      if (takes) readers.set(root(ref), (readers.get(root(ref)) ?? new Set()).add(takes));
    }
    for (const ref of outputs) {
      if (!ref) continue;
      look(ref);
      if (written.has(root(ref))) fixed.add(root(ref));
      written.add(root(ref));
    }
  }
  return {
    isFree: (ref: Ref): boolean => !fixed.has(root(ref)),
    isRead: (ref: Ref, by: Layouts): boolean => {
      const takers = readers.get(root(ref));
      return by === 'any' ? takers?.has('convolution') === true : takers !== undefined;
    },
  };
}
