import { clearScreenDown, cursorTo, moveCursor } from 'node:readline';
import { stripVTControlCharacters } from 'node:util';

/** A terminal as far as a screen needs to know it: `process.stderr`. */
export type Terminal = NodeJS.WritableStream & { readonly columns?: number };

const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
/** While lines are drawn, those too long for the terminal are cut off instead of going on in the next row. */
const NO_WRAP = '\x1b[?7l';
const WRAP = '\x1b[?7h';

/** Lines at the foot of a terminal that are drawn over and over. */
export class Screen {
  /** Columns that each line fills. */
  #widths: readonly number[] = [];
  #lines: readonly string[] = [];
  readonly #restore = (): void => void this.terminal.write(WRAP + SHOW_CURSOR);

  constructor(private readonly terminal: Terminal) {
    this.terminal.write(HIDE_CURSOR);
    // However the program ends, the cursor must be seen again.
    process.once('exit', this.#restore);
  }

  get columns(): number {
    return Math.max(1, this.terminal.columns ?? 80);
  }

  draw(lines: readonly string[]): void {
    this.#erase();
    this.terminal.write(`${NO_WRAP}${lines.join('\n')}\n${WRAP}`);
    this.#lines = lines;
    this.#widths = lines.map((line) => Math.min(stripVTControlCharacters(line).length, this.columns));
  }

  /** Writes text above the lines, where it stays. */
  say(text: string): void {
    const lines = this.#lines;
    this.#erase();
    this.terminal.write(`${text}\n`);
    if (lines.length > 0) this.draw(lines);
  }

  /** Leaves the lines where they are, and the terminal as it was. */
  end(): void {
    this.#restore();
    process.off('exit', this.#restore);
  }

  /** A terminal that has become narrower since has broken the lines: they take more rows now. */
  #erase(): void {
    const rows = this.#widths.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / this.columns)), 0);
    if (rows > 0) {
      moveCursor(this.terminal, 0, -rows);
      cursorTo(this.terminal, 0);
      clearScreenDown(this.terminal);
    }
    [this.#lines, this.#widths] = [[], []];
  }
}
