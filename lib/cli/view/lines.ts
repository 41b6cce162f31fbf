import type { TrainStep } from '../../train/index.js';
import { isShown, type Beginning, type Ending, type View } from './view.js';
import { count, duration, metric, metrics, short, speed } from './words.js';

/** Pictures left out are named one by one up to here. */
const NAMED = 5;

/** What an evaluation found, in a line. */
export function evaluationLine({
  metrics: found,
  images,
  milliseconds,
  best,
}: NonNullable<TrainStep['evaluation']>): string {
  return `${metrics(found)}  (${count(images)} images in ${duration(milliseconds / 1000)})${best ? '  the best so far' : ''}`;
}

/** What became of a checkpoint, in a line. */
export function checkpointLine(checkpoint: NonNullable<TrainStep['checkpoint']>): string {
  return 'error' in checkpoint
    ? `not saved: ${checkpoint.error.message}`
    : `saved ${checkpoint.path} in ${duration(checkpoint.seconds)}`;
}

/** Which pictures could not be read, in a line. */
export function badLine(bad: NonNullable<TrainStep['bad']>): string {
  const named = bad
    .slice(0, NAMED)
    .map(({ name, reason }) => (reason.startsWith(name) ? reason : `${name}: ${reason}`));
  const more = bad.length > NAMED ? [`and ${bad.length - NAMED} more`] : [];
  return `left out: ${[...named, ...more].join('; ')}`;
}

/** What a training begins as, in a line. */
export function beginningLine(it: Beginning): string {
  const { net, parameters, images, batch, iteration, iterations, device, threads } = it;
  const where = `${device}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
  const from =
    iteration > 0 ? `from iteration ${count(iteration)} to ${count(iterations)}` : `${count(iterations)} iterations`;
  return `${net}: ${count(parameters)} parameters; ${count(images)} images, ${from} of ${batch}; ${where}`;
}

/** What a training ended as, in a line or two. */
export function endingLines({ outcome, iteration, seconds, averageLoss, test, files }: Ending): string {
  const how = { done: 'trained', early: 'stopped early, nothing got better', interrupted: 'interrupted' }[outcome];
  const found = [
    ...(averageLoss === undefined ? [] : [`loss ${metric(averageLoss)}`]),
    ...(test ? [`test ${metrics(test)}`] : []),
  ];
  const line = [`${how}: iteration ${count(iteration)} after ${duration(seconds)}`, ...found].join('  ');
  return [line, ...files].join('\n');
}

/** Plain lines: every `every`-th step, and all else that happens. */
export class Lines implements View {
  readonly #write: (text: string) => void;
  readonly #every: number;
  #images = 0;
  #milliseconds = 0;
  #waited = 0;

  constructor(write: (text: string) => void, every: number) {
    this.#write = write;
    this.#every = every;
  }

  begin(beginning: Beginning): void {
    this.#write(beginningLine(beginning));
  }

  step(step: TrainStep): void {
    this.#images += (step.imagesPerSecond * step.milliseconds) / 1000;
    this.#milliseconds += step.milliseconds;
    this.#waited += step.waited;
    if (step.bad) this.#write(`iteration ${step.iteration}  ${badLine(step.bad)}`);
    if (isShown(step.iteration, this.#every)) this.#show(step);
    if (step.evaluation) this.#write(`iteration ${step.iteration}  test  ${evaluationLine(step.evaluation)}`);
    if (step.checkpoint) this.#write(`iteration ${step.iteration}  ${checkpointLine(step.checkpoint)}`);
  }

  say(text: string): void {
    this.#write(text);
  }

  end(ending?: Ending): void {
    if (ending) this.#write(endingLines(ending));
  }

  #show({ iteration, epoch, averageLoss, rate, metrics: found }: TrainStep): void {
    const milliseconds = Math.max(1e-6, this.#milliseconds);
    const share = this.#waited / milliseconds;
    const parts = [
      `iteration ${iteration}`,
      `epoch ${epoch.toFixed(2)}`,
      `loss ${metric(averageLoss)}`,
      ...(Object.keys(found).length > 0 ? [metrics(found)] : []),
      `rate ${short(rate)}`,
      speed((1000 * this.#images) / milliseconds),
      ...(share >= 0.01 ? [`${(100 * share).toFixed(0)}% of it waiting for data`] : []),
    ];
    this.#write(parts.join('  '));
    [this.#images, this.#milliseconds, this.#waited] = [0, 0, 0];
  }
}
