import { setTimeout } from 'node:timers/promises';
import type { Tensor } from '../../lib/index.js';
import { Random } from '../../lib/index.js';
import type { Batch, Position } from '../../lib/data/index.js';
import type { Source } from '../../lib/train/index.js';

export interface FakeOptions {
  readonly batch?: number;
  readonly pictures?: number;
  readonly classes?: number;
  readonly start?: Position;
  /** Times that the pictures are gone through. Default: without end. */
  readonly epochs?: number;
  /** Milliseconds that each batch takes to make. */
  readonly delay?: number;
  /** Told when a batch is asked for. */
  readonly onNext?: (number: number) => void;
  /** Pixels of a picture. */
  readonly pixel?: (label: number, random: Random) => number;
}

const SHAPE = [3, 8, 8];
const PIXELS = 192;

/** Pictures in memory whose brightness tells their class: learned in some dozens of steps. */
export function fakeLoader(options: FakeOptions = {}): Source {
  const { batch = 4, pictures = 20, classes = 5, delay = 0, onNext } = options;
  const pixel = options.pixel ?? ((label, random) => (label - 2) / 2 + random.uniform(-0.2, 0.2));
  const places = (options.epochs ?? Infinity) * pictures;
  return {
    shape: SHAPE,
    pictures,
    dataset: { name: 'fake', classes: Array.from({ length: classes }, (_, i) => `class ${i}`) },
    options: { batch },
    async *[Symbol.asyncIterator](): AsyncGenerator<Batch> {
      const { epoch, place } = options.start ?? { epoch: 0, place: 0 };
      for (let at = epoch * pictures + place, n = 0; at < places; n++) {
        onNext?.(n);
        if (delay > 0) await setTimeout(delay);
        const size = Math.min(batch, places - at);
        const indices = Array.from({ length: size }, (_, i) => (at + i) % pictures);
        at += size;
        yield made(indices, classes, pixel, { epoch: Math.floor(at / pictures), place: at % pictures });
      }
    },
  };
}

function made(
  indices: readonly number[],
  classes: number,
  pixel: NonNullable<FakeOptions['pixel']>,
  position: Position,
): Batch {
  const size = indices.length;
  const data = new Float32Array(size * PIXELS);
  indices.forEach((index, i) => {
    const random = new Random(index);
    for (let p = 0; p < PIXELS; p++) data[i * PIXELS + p] = pixel(index % classes, random);
  });
  const labels: Tensor = { data: Float32Array.from(indices, (index) => index % classes), shape: [size] };
  const mean = { data: new Float32Array(3), shape: [3] };
  return {
    images: { data, shape: [size, ...SHAPE], mean, scale: Float32Array.of(1, 1, 1) },
    labels,
    size,
    names: indices.map((index) => `picture ${index}`),
    bad: [],
    position,
    waited: 0,
  };
}
