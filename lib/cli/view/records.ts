import type { TrainStep } from '../../train/index.js';
import { isShown, type Beginning, type Ending, type View } from './view.js';

/** JSON lines for programs: `begin`, `step` (every `every`-th), `evaluation`, `checkpoint`, `bad`, `remark` and `end`. */
export class Records implements View {
  readonly #write: (line: string) => void;
  readonly #every: number;
  readonly #started = performance.now();

  constructor(write: (line: string) => void, every: number) {
    this.#write = write;
    this.#every = every;
  }

  begin(beginning: Beginning): void {
    this.#record('begin', beginning);
  }

  step({ evaluation, checkpoint, bad, ...step }: TrainStep): void {
    const { iteration, epoch } = step;
    if (bad) this.#record('bad', { iteration, pictures: bad });
    if (isShown(iteration, this.#every)) this.#record('step', step);
    if (evaluation) this.#record('evaluation', { iteration, epoch, ...evaluation });
    if (checkpoint)
      this.#record('checkpoint', {
        iteration,
        ...('error' in checkpoint ? { error: checkpoint.error.message } : checkpoint),
      });
  }

  say(text: string): void {
    this.#record('remark', { text });
  }

  end(ending?: Ending): void {
    if (ending) this.#record('end', ending);
  }

  /** NaN and infinity, which JSON lacks, become null. */
  #record(type: string, fields: object): void {
    const seconds = Math.round(performance.now() - this.#started) / 1000;
    this.#write(JSON.stringify({ type, time: seconds, ...fields }));
  }
}
