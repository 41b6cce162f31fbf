import type { Image } from '../../images/index.js';
import type { Random } from '../../random.js';

/** Whether a point lies inside a shape that fills about the circle of radius 1; y points down. */
type Inside = (x: number, y: number) => boolean;

const disc = (x: number, y: number, radius: number): boolean => x * x + y * y <= radius * radius;

/** The classes, in the order of their labels. */
const SHAPES: Readonly<Record<string, Inside>> = {
  circle: (x, y) => disc(x, y, 0.9),
  square: (x, y) => Math.max(Math.abs(x), Math.abs(y)) <= 0.78,
  triangle: (x, y) => y <= 0.55 && y >= Math.sqrt(3) * Math.abs(x) - 1,
  star: insideStar,
  cross: (x, y) => Math.min(Math.abs(x), Math.abs(y)) <= 0.28 && Math.max(Math.abs(x), Math.abs(y)) <= 0.95,
  ring: (x, y) => disc(x, y, 0.95) && !disc(x, y, 0.55),
  heart: (x, y) => (1.44 * (x * x + y * y) - 1) ** 3 + 1.2 ** 5 * x * x * y * y * y <= 0,
  moon: (x, y) => disc(x, y, 0.95) && !disc(x - 0.45, y, 0.8),
};

export const classes: readonly string[] = Object.keys(SHAPES);

/** Width and height of the pictures. */
export const SIZE = 32;
/** Points per pixel and axis: soft edges. */
const SAMPLES = 2;
/** Grain, from end to end. */
const NOISE = 48;

/** A picture and what is on it. */
export interface Example {
  readonly image: Image;
  readonly label: number;
}

type Colour = readonly [number, number, number];

/**
 * Draws a shape somewhere on a shaded ground: kind, place, size, tilt, colours and grain come from `random`, so a seed
 * always draws the same pictures.
 */
export function drawExample(random: Random): Example {
  const label = random.below(classes.length);
  const inside = SHAPES[classes[label]!]!;
  const radius = random.uniform(7, 12);
  const reach = SIZE / 2 - radius;
  const [cx, cy] = [SIZE / 2 + random.uniform(-reach, reach), SIZE / 2 + random.uniform(-reach, reach)];
  const tilt = random.uniform(-0.35, 0.35);
  const [cos, sin] = [Math.cos(tilt) / radius, Math.sin(tilt) / radius];
  const [ground, ink] = twoColours(random);
  const [shadeX, shadeY] = [random.uniform(-25, 25) / SIZE, random.uniform(-25, 25) / SIZE];
  const data = new Uint8Array(3 * SIZE * SIZE);
  for (let at = 0; at < SIZE * SIZE; at++) {
    const [x, y] = [at % SIZE, Math.floor(at / SIZE)];
    const cover = coverage(
      (px, py) => inside(cos * (px - cx) + sin * (py - cy), cos * (py - cy) - sin * (px - cx)),
      x,
      y,
    );
    const shade = shadeX * (x - SIZE / 2) + shadeY * (y - SIZE / 2);
    const grain = random.bits();
    for (let c = 0; c < 3; c++) {
      const noise = (((grain >>> (8 * c)) & 255) / 255 - 0.5) * NOISE;
      const value = ground[c]! + cover * (ink[c]! - ground[c]!) + shade + noise;
      data[3 * at + c] = Math.min(255, Math.max(0, Math.round(value)));
    }
  }
  return { image: { data, width: SIZE, height: SIZE }, label };
}

/** Share of a pixel that is inside. */
function coverage(inside: Inside, x: number, y: number): number {
  let hits = 0;
  for (let i = 0; i < SAMPLES * SAMPLES; i++) {
    const [dx, dy] = [i % SAMPLES, Math.floor(i / SAMPLES)];
    if (inside(x + (dx + 0.5) / SAMPLES, y + (dy + 0.5) / SAMPLES)) hits++;
  }
  return hits / (SAMPLES * SAMPLES);
}

/** Two colours that an eye can tell apart. */
function twoColours(random: Random): [Colour, Colour] {
  const draw = (): Colour => [random.uniform(20, 235), random.uniform(20, 235), random.uniform(20, 235)];
  for (;;) {
    const [a, b] = [draw(), draw()];
    if (Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]) > 110) return [a, b];
  }
}

/** Five points: inside the edge from a tip (radius 1) to a notch (radius 0.42), after folding the plane into a tenth. */
function insideStar(x: number, y: number): boolean {
  const tenth = Math.PI / 5;
  const angle = Math.atan2(x, -y);
  const fold = Math.abs(angle - 2 * tenth * Math.round(angle / (2 * tenth)));
  const radius = Math.hypot(x, y);
  const [px, py] = [radius * Math.cos(fold), radius * Math.sin(fold)];
  const [nx, ny] = [0.42 * Math.cos(tenth), 0.42 * Math.sin(tenth)];
  return (px - 1) * ny - py * (nx - 1) <= 0;
}
