import sharp from 'sharp';
import type { Image } from '../../images/index.js';
import { LETTER_HEIGHT, LETTER_WIDTH, write } from './letters.js';

/** A picture with what the net says of it. */
export interface Captioned {
  readonly image: Image;
  readonly caption: string;
  readonly right: boolean;
  /** From 0 to 1: length of the bar below. */
  readonly confidence: number;
}

type Colour = readonly [number, number, number];

const ZOOM = 3;
const TEXT = 2;
const GAP = 16;
const PAPER: Colour = [250, 248, 244];
const RIGHT: Colour = [38, 110, 62];
const WRONG: Colour = [190, 40, 40];
const RAIL: Colour = [226, 221, 212];
const BAR = 4;

/** Writes a contact sheet as PNG: pictures in rows, each with its caption (green where right, red where wrong). */
export async function writeSheet(path: string, items: readonly Captioned[], columns: number): Promise<void> {
  const side = ZOOM * Math.max(...items.map(({ image }) => image.width));
  const cell = { width: side + GAP, height: side + GAP + TEXT * LETTER_HEIGHT + BAR + 14 };
  const width = columns * cell.width + GAP;
  const height = Math.ceil(items.length / columns) * cell.height + GAP;
  const data = new Uint8Array(3 * width * height);
  for (let i = 0; i < width * height; i++) data.set(PAPER, 3 * i);
  const block = (x: number, y: number, w: number, h: number, colour: Colour | Uint8Array): void => {
    for (let row = y; row < y + h; row++) for (let at = x; at < x + w; at++) data.set(colour, 3 * (row * width + at));
  };
  items.forEach(({ image, caption, right, confidence }, i) => {
    const [left, top] = [GAP + (i % columns) * cell.width, GAP + Math.floor(i / columns) * cell.height];
    for (let at = 0; at < image.width * image.height; at++) {
      const [x, y] = [at % image.width, Math.floor(at / image.width)];
      block(left + ZOOM * x, top + ZOOM * y, ZOOM, ZOOM, image.data.subarray(3 * at, 3 * at + 3));
    }
    const colour = right ? RIGHT : WRONG;
    const text = left + Math.floor((side - TEXT * LETTER_WIDTH * caption.length + TEXT) / 2);
    write(caption, (x, y) => block(text + TEXT * x, top + side + 6 + TEXT * y, TEXT, TEXT, colour));
    const below = top + side + 6 + TEXT * LETTER_HEIGHT + 4;
    block(left, below, side, BAR, RAIL);
    block(left, below, Math.round(side * confidence), BAR, colour);
  });
  await sharp(data, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel: 9, palette: false })
    .toFile(path);
}
