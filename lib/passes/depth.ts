import type { Program, Ref, Step } from '../program.js';
import type { Depth } from './target.js';

/**
 * Turns convolutions of few channels with a stride, as first layers are, into ones of many channels without (space to
 * depth): blocks of pixels as large as the stride become channels of one pixel, those of taps likewise, filled up with zeros
 * where taps are no whole blocks. AlexNet's filters of 3 channels and 11×11 taps, which a stride of 4 moves on, become ones
 * of 48 and 3×3: all that tensor cores read at once is of use, every engine knows the kind, and Winograd's points are made
 * for it. Only where that is less to multiply. Gradients of images are left to the convolution that it was.
 */
export function spaceToDepth(program: Program, how: Depth): Program {
  const store = new Blocked(program, how);
  const steps = program.steps.flatMap((step): Step[] => {
    const forms = formsOf(step, how);
    if (!forms) return [step];
    const made: Step[] = [];
    const attributes = { ...step.attributes, strideH: 1, strideW: 1, padH: 0, padW: 0 };
    const [x, second, bias] = step.inputs;
    const image = store.blocked(x!, forms.image, step, made);
    if (step.kernel === 'conv2d') {
      const inputs = [image, store.blocked(second!, forms.filter, step, made), bias];
      return [...made, { ...step, inputs, attributes }];
    }
    const [dweight, dbias] = step.outputs;
    const gradient = store.place(dweight!, forms.filter);
    const wgrad = { ...step, inputs: [image, second], outputs: [gradient, dbias], attributes };
    return [...made, wgrad, conversion('depth_to_space', gradient, dweight!, forms.filter, step)];
  });
  return { ...program, refs: store.refs, steps };
}

/** Channels of pictures, at most: what more of them would gain by Winograd's points has not been measured. */
const PICTURE = 4;

/** How images or filters are stored whose pixels or taps have become channels. */
interface Form {
  /** Pixels or taps that are channels of one, and how far outside of the image the first of them begins. */
  readonly blocks: Readonly<Record<'blockH' | 'blockW' | 'padH' | 'padW', number>>;
  /** (n, c, h, w): more channels than blocks have are zeros. */
  readonly shape: readonly [number, number, number, number];
}

/** What convolutions say of themselves. */
type Geometry = 'groups' | `${'stride' | 'pad' | 'dilation'}${'H' | 'W'}`;

/** A program's tensors, and those of them that are stored in blocks, too. */
class Blocked {
  readonly refs: Ref[];
  readonly #copies = new Map<string, Ref>();

  constructor(
    { refs }: Program,
    readonly how: Depth,
  ) {
    this.refs = refs.slice();
  }

  /** The tensor in blocks, for `step` to read; what makes it, if nothing has yet, goes to `made`. */
  blocked(ref: Ref, form: Form, step: Step, made: Step[]): Ref {
    const key = [ref.id, ...form.shape, ...Object.values(form.blocks)].join();
    const known = this.#copies.get(key);
    if (known) return known;
    const copy = this.place(ref, form);
    this.#copies.set(key, copy);
    made.push(conversion('space_to_depth', ref, copy, form, step));
    return copy;
  }

  /** A place for the tensor in blocks. */
  place(ref: Ref, { shape }: Form): Ref {
    const { dtype, channelsLast } = this.how;
    const place = { kind: 'work' } as const;
    const copy = { id: this.refs.length, shape, dtype, channelsLast, place, label: `${ref.label}.depth` };
    this.refs.push(copy);
    return copy;
  }
}

function conversion(kernel: string, from: Ref, to: Ref, { blocks }: Form, { label }: Step): Step {
  return { kernel, label: `${label}.depth`, inputs: [from], outputs: [to], attributes: { ...blocks }, inPlace: false };
}

/** How a convolution, or the gradient of its filters, has image and filters in blocks; undefined where it is not worth it. */
function formsOf(step: Step, { together, points = 1 }: Depth): Readonly<Record<'image' | 'filter', Form>> | undefined {
  const gradient = step.kernel === 'conv2d_wgrad';
  if (!gradient && step.kernel !== 'conv2d') return undefined;
  const [x, features] = [step.inputs[0], gradient ? step.inputs[1] : step.outputs[0]];
  const weight = gradient ? step.outputs[0] : step.inputs[1];
  if (!x || !features || !weight) return undefined;
  const a = step.attributes as Readonly<Record<Geometry, number>>;
  if (a.groups !== 1 || a.dilationH !== 1 || a.dilationW !== 1) return undefined;
  const [images, , height, width] = features.shape as [number, number, number, number];
  const [filters, channels, tapsH, tapsW] = weight.shape as [number, number, number, number];
  const filled = (n: number): number => Math.ceil(n / together) * together;
  const deep = filled(channels * a.strideH * a.strideW);
  const [down, across] = [Math.ceil(tapsH / a.strideH), Math.ceil(tapsW / a.strideW)];
  const fewer = channels <= PICTURE ? points : 1;
  /** Multiplications for each number of a feature. */
  const cost = (depth: number, rows: number, columns: number, stride: number): number =>
    (depth * rows * columns) / (stride === 1 && rows === columns && rows >= 3 && rows <= 5 ? fewer : 1);
  const before = cost(filled(channels), tapsH, tapsW, Math.max(a.strideH, a.strideW));
  if (cost(deep, down, across, 1) >= before) return undefined;
  const blocks = { blockH: a.strideH, blockW: a.strideW };
  return {
    image: {
      blocks: { ...blocks, padH: a.padH, padW: a.padW },
      shape: [images, deep, height + down - 1, width + across - 1],
    },
    filter: { blocks: { ...blocks, padH: 0, padW: 0 }, shape: [filters, deep, down, across] },
  };
}
