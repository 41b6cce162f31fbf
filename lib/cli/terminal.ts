import { styleText } from 'node:util';
import type { Image } from '../images/index.js';

type Style = Parameters<typeof styleText>[0];

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
/** From background to foreground, for where there is no colour. */
const INK = ' .:-=+*#%@';

/** Whether standard output shows colours: a terminal, unless NO_COLOR or TERM says otherwise. */
export function colourful(): boolean {
  return process.stdout.isTTY && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
}

export function paint(style: Style, text: string): string {
  return colourful() ? styleText(style, text, { validateStream: false }) : text;
}

/** A bar of up to `width` cells for a share from 0 to 1, to an eighth of a cell. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8);
  return '█'.repeat(eighths >> 3) + EIGHTHS[eighths & 7]!;
}

/**
 * A picture as lines of text, `image.width` cells wide: two rows of pixels to a line in colour, where the terminal has
 * it, else characters that are the darker the more a pixel differs from the picture's corners.
 */
export function picture(image: Image): string[] {
  return colourful() ? inColour(image) : inInk(image);
}

function inColour({ data, width, height }: Image): string[] {
  const rgb = (x: number, y: number): string => {
    const at = 3 * (Math.min(y, height - 1) * width + x);
    return `${data[at]};${data[at + 1]};${data[at + 2]}`;
  };
  return Array.from({ length: Math.ceil(height / 2) }, (_, line) => {
    const cells = Array.from(
      { length: width },
      (_, x) => `\x1b[38;2;${rgb(x, 2 * line)};48;2;${rgb(x, 2 * line + 1)}m▀`,
    );
    return `${cells.join('')}\x1b[0m`;
  });
}

function inInk({ data, width, height }: Image): string[] {
  const pixel = (x: number, y: number): Uint8Array => data.subarray(3 * (y * width + x), 3 * (y * width + x) + 3);
  const corners = [pixel(0, 0), pixel(width - 1, 0), pixel(0, height - 1), pixel(width - 1, height - 1)];
  const ground = [0, 1, 2].map((c) => corners.reduce((sum, corner) => sum + corner[c]! / 4, 0));
  const far = (x: number, y: number): number => Math.hypot(...ground.map((v, c) => pixel(x, y)[c]! - v));
  const lines = Array.from({ length: height >> 1 }, (_, line) =>
    Array.from({ length: width }, (_, x) => (far(x, 2 * line) + far(x, 2 * line + 1)) / 2),
  );
  const most = Math.max(1, ...lines.flat());
  return lines.map((line) => line.map((v) => INK[Math.round((v / most) * (INK.length - 1))]!).join(''));
}
