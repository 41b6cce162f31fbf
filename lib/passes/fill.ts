import type { Program, Ref, Step } from '../program.js';
import { Copies, type Forms } from './copies.js';

/** So many channels tensor cores read at once. */
const TOGETHER = 8;

/** Images or filters with channels last, filled up with zeros: a form that no tensor has before. */
const BY_FILLING: Forms<'asItIs' | 'filled'> = {
  of: () => 'asItIs',
  as: (ref, form) => {
    if (form === 'asItIs') return ref;
    const [n, channels, ...pixels] = ref.shape as [number, number, number, number];
    const shape = [n, Math.ceil(channels / TOGETHER) * TOGETHER, ...pixels];
    return { ...ref, shape, dtype: 'bf16', channelsLast: true };
  },
};

/**
 * Fills up images that have no whole multiple of 8 channels, such as pictures, once for the convolutions that read them and
 * for the gradients of their filters; and with them the filters. The convolutions would do so each by itself. Of those whose
 * products are of bfloat16; groups, between which zeros would have to lie, they fill up themselves.
 */
export function fillChannels(program: Program): Program {
  const store = new Copies(program, BY_FILLING);
  for (const step of program.steps) {
    const [x, second, bias] = step.inputs;
    const [result, dbias] = step.outputs;
    if (x && second && result && step.kernel === 'conv2d' && isUneven(step, x)) {
      store.step(step, [store.as(x, step, 'filled'), store.as(second, step, 'filled'), bias], step.outputs);
    } else if (x && result && step.kernel === 'conv2d_wgrad' && isUneven(step, x)) {
      const gradient = store.copy(result, step, 'filled');
      store.step(step, [store.as(x, step, 'filled'), second], [gradient, dbias]);
      store.convert(gradient, result, step);
    } else {
      store.step(step, step.inputs, step.outputs);
    }
  }
  return store.finish();
}

const isUneven = ({ attributes }: Step, { shape }: Ref): boolean =>
  attributes.groups === 1 && shape[1]! % TOGETHER !== 0;
