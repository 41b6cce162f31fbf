import { styleText } from 'node:util';
import type { TrainStep } from '../../train/index.js';
import { bar } from '../terminal.js';
import { badLine, beginningLine, checkpointLine, endingLines, evaluationLine } from './lines.js';
import { Screen, type Terminal } from './screen.js';
import { Course } from './sparkline.js';
import type { Beginning, Ending, View } from './view.js';
import { count, duration, metric, metrics, short, speed } from './words.js';

/** At most so often is the view drawn anew. */
const INTERVAL = 100;
/** Speed and waiting are those of about so many last milliseconds. */
const RECENT = 5000;

type Style = Parameters<typeof styleText>[0];

/** A view that stays at the foot of a terminal. */
export class Live implements View {
  readonly #screen: Screen;
  readonly #colour: boolean;
  readonly #losses = new Course();
  readonly #started = performance.now();
  readonly #resized = (): void => this.#draw();
  #beginning: Beginning | undefined;
  #last: TrainStep | undefined;
  #recent = new Recent();
  #evaluation = '';
  #checkpoint = '';
  #drawn = -Infinity;
  #later: NodeJS.Timeout | undefined;

  constructor(private readonly terminal: Terminal) {
    this.#screen = new Screen(terminal);
    this.#colour = !process.env.NO_COLOR && process.env.TERM !== 'dumb';
    terminal.on('resize', this.#resized);
  }

  begin(beginning: Beginning): void {
    this.#beginning = beginning;
    this.#screen.say(beginningLine(beginning));
    this.#draw();
  }

  step(step: TrainStep): void {
    this.#last = step;
    this.#losses.add(step.loss);
    this.#recent.add(step);
    if (step.bad) this.say(badLine(step.bad));
    if (step.evaluation)
      this.#evaluation = `test   iteration ${count(step.iteration)}  ${evaluationLine(step.evaluation)}`;
    if (step.checkpoint && 'error' in step.checkpoint) this.say(checkpointLine(step.checkpoint));
    else if (step.checkpoint) this.#checkpoint = checkpointLine(step.checkpoint);
    this.#drawSoon();
  }

  say(text: string): void {
    this.#screen.say(text);
  }

  end(ending?: Ending): void {
    clearTimeout(this.#later);
    this.terminal.off('resize', this.#resized);
    this.#draw();
    this.#screen.end();
    if (ending) this.terminal.write(`${endingLines(ending)}\n`);
  }

  #drawSoon(): void {
    const wait = this.#drawn + INTERVAL - performance.now();
    if (wait <= 0) this.#draw();
    else this.#later ??= setTimeout(() => this.#draw(), wait).unref();
  }

  #draw(): void {
    clearTimeout(this.#later);
    this.#later = undefined;
    this.#drawn = performance.now();
    if (this.#beginning) this.#screen.draw(this.#lines(this.#beginning));
  }

  #lines({ iteration: from, iterations }: Beginning): string[] {
    const step = this.#last;
    const done = step?.iteration ?? from;
    const share = iterations > 0 ? done / iterations : 1;
    const width = Math.max(10, Math.min(40, this.#screen.columns - 60));
    const seconds = (performance.now() - this.#started) / 1000;
    const left = done > from ? (seconds / (done - from)) * (iterations - done) : NaN;
    const progress = [
      `${this.#paint('cyan', bar(share, width).padEnd(width, '░'))} ${(100 * share).toFixed(0).padStart(3)}%`,
      `iteration ${count(done)}/${count(iterations)}`,
      ...(step ? [`epoch ${step.epoch.toFixed(2)}`] : []),
      ...(Number.isNaN(left) ? [] : [`${duration(left)} left`]),
    ];
    if (!step) return [progress.join('  ')];
    const { averageLoss, rate, metrics: found } = step;
    const course = this.#losses.draw(width);
    const loss = [
      `loss   ${this.#paint('yellow', course)} ${this.#paint('bold', metric(averageLoss))}`,
      metrics(found),
    ];
    return [
      progress.join('  '),
      loss.filter((part) => part !== '').join('  '),
      `speed  ${this.#recent.toString()}  rate ${short(rate)}  ${duration(seconds)} so far`,
      this.#evaluation && this.#paint('green', this.#evaluation),
      this.#checkpoint && this.#paint('dim', this.#checkpoint),
    ].filter((line) => line !== '');
  }

  #paint(style: Style, text: string): string {
    return this.#colour ? styleText(style, text, { validateStream: false }) : text;
  }
}

/** How fast the last steps were, and how much of their time they waited for data; older steps count less and less. */
class Recent {
  #images = 0;
  #milliseconds = 0;
  #waited = 0;

  add({ imagesPerSecond, milliseconds, waited }: TrainStep): void {
    const kept = Math.exp(-milliseconds / RECENT);
    this.#images = this.#images * kept + (imagesPerSecond * milliseconds) / 1000;
    this.#milliseconds = this.#milliseconds * kept + milliseconds;
    this.#waited = this.#waited * kept + waited;
  }

  toString(): string {
    const milliseconds = Math.max(1e-6, this.#milliseconds);
    const waiting = (100 * this.#waited) / milliseconds;
    return `${speed((1000 * this.#images) / milliseconds)}, ${waiting.toFixed(0)}% of it waiting for data`;
  }
}
