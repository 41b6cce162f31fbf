const LEVELS = '▁▂▃▄▅▆▇█';

/** Points kept of a course; beyond them, neighbours become one. */
const MOST = 1024;

/** The course of a number over a whole training, in bounded memory. */
export class Course {
  #points: number[] = [];
  /** Values that make one point, and those of the point that is not yet full. */
  #stride = 1;
  #sum = 0;
  #held = 0;

  /** Values that are not finite are passed over. */
  add(value: number): void {
    if (!Number.isFinite(value)) return;
    this.#sum += value;
    if (++this.#held < this.#stride) return;
    this.#points.push(this.#sum / this.#held);
    [this.#sum, this.#held] = [0, 0];
    if (this.#points.length < MOST) return;
    this.#points = pooled(this.#points, MOST / 2);
    this.#stride *= 2;
  }

  /** The whole course in at most `width` characters, from its least value to its largest. */
  draw(width: number): string {
    const points = this.#held > 0 ? [...this.#points, this.#sum / this.#held] : this.#points;
    const shown = points.length > width ? pooled(points, width) : points;
    const [least, most] = [Math.min(...shown), Math.max(...shown)];
    const level = (value: number): number =>
      most > least ? Math.round(((value - least) / (most - least)) * (LEVELS.length - 1)) : 0;
    return shown.map((value) => LEVELS[level(value)]!).join('');
  }
}

/** The means of `width` parts, as near to equal as can be. */
function pooled(values: readonly number[], width: number): number[] {
  return Array.from({ length: width }, (_, i) => {
    const [start, end] = [Math.floor((i * values.length) / width), Math.floor(((i + 1) * values.length) / width)];
    return values.slice(start, end).reduce((a, b) => a + b, 0) / (end - start);
  });
}
