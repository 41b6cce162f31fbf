import { count, type Shape } from '../shape.js';
import type { Dataset, Item } from './dataset.js';
import type { LoaderOptions } from './loading/options.js';
import { openCrew, type Opened } from './loading/opened.js';
import type { BadPicture, SumTask } from './loading/piece.js';
import { Pace } from './pace.js';

/** How a dataset is gone through once, in its order. */
export interface SurveyOptions extends Pick<LoaderOptions, 'workers' | 'mostBad' | 'transform' | 'signal'> {
  /** Called now and then: how many of how many pictures are through. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Called for each picture that is left out because it cannot be read. */
  readonly onBad?: (picture: BadPicture) => void;
}

export interface Survey {
  readonly sums: Float64Array;
  /** How many pictures were added up. */
  readonly pictures: number;
  /** (C, H, W) */
  readonly shape: Shape;
}

/** Bytes of pixels that a thread adds up at one go, about. */
const PIECE = 1 << 23;
const MOST_PICTURES = 256;

/** Adds up all pictures as they are in evaluation, on threads; the same however many there are. @throws as a loader does */
export async function survey(
  data: Dataset | AsyncIterable<Item>,
  of: SumTask['of'],
  { onProgress, onBad, ...options }: SurveyOptions,
  check: (opened: Opened) => void = () => undefined,
): Promise<Survey> {
  const opened = await openCrew(data, { batch: 1, phase: 'test', ...options });
  const { crew, form, dataset } = opened;
  try {
    check(opened);
    const most = Math.max(1, Math.min(MOST_PICTURES, Math.floor(PIECE / count(form.shape))));
    const pace = new Pace(options.signal);
    let [total, pictures, done] = [new Float64Array(0), 0, 0];
    for await (const { values, at, bad } of opened.sums(of, most)) {
      if (total.length === 0) total = Float64Array.from(values);
      else for (let i = 0; i < total.length; i++) total[i]! += values[i]!;
      pictures += at.length;
      for (const picture of bad) onBad?.({ name: picture.name, reason: picture.reason });
      done += at.length + bad.length;
      onProgress?.(done, dataset.length);
      await pace.rest();
    }
    return { sums: total, pictures, shape: form.shape };
  } finally {
    await crew.close();
  }
}
