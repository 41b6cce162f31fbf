import type { TransformOptions } from '../data/index.js';
import { readMean } from '../images/index.js';
import type { Shape } from '../shape.js';
import type { Choices } from './choices.js';

/** What a net wants of its pixels. */
type Pixels = Pick<TransformOptions, 'mean' | 'scale' | 'channelOrder'>;

/** Means of the blue, green and red of ImageNet's pictures. */
const CAFFE: Pixels = { channelOrder: 'bgr', mean: [104, 117, 123] };

/** Ready-made nets that want other pixels than Caffe's do. */
const PIXELS: Readonly<Record<string, Pixels>> = {
  // As in torchvision: red, green, blue from 0 to 1, less their means, over their deviations.
  'alexnet-owt': {
    channelOrder: 'rgb',
    mean: [0.485, 0.456, 0.406].map((mean) => 255 * mean),
    scale: [0.229, 0.224, 0.225].map((deviation) => 1 / (255 * deviation)),
  },
};

/** Grey digits from 0 to 1, as Caffe's LeNet takes them. */
const GREY: Pixels = { channelOrder: 'grey', scale: 1 / 256 };

/** Below this size nothing is cut away. */
const CUT_FROM = 64;

/** What becomes of pictures on their way into a net of that name and input (C, H, W), unless choices say otherwise. */
export async function transformFor(net: string, shape: Shape, choices: Choices): Promise<TransformOptions> {
  const [channels, height, width] = shape as [number, number, number];
  const pixels = (Object.hasOwn(PIXELS, net) ? PIXELS[net] : undefined) ?? (channels === 1 ? GREY : CAFFE);
  const least = Math.max(height, width);
  const side = choices.resize ?? (least >= CUT_FROM ? Math.round(least / 8 + least) : undefined);
  return {
    ...pixels,
    // A small picture goes in whole, whatever its shape; of a large one a part.
    ...(side === undefined ? { resize: [height, width] } : { resize: side, crop: [height, width] }),
    // Digits and letters are other ones when they are mirrored.
    mirror: choices.mirror !== false && channels > 1,
    ...(choices.mean !== undefined && { mean: await readMean(choices.mean) }),
    ...(choices.scale !== undefined && { scale: choices.scale }),
    ...(choices.jitter !== undefined && { jitter: choices.jitter }),
  };
}
