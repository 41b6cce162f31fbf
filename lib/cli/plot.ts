import { writeFile } from 'node:fs/promises';
import { extname } from 'node:path';
import type { Command } from 'commander';
import { FormatError } from '../errors.js';
import { BadUsage, positiveInteger, print, printJson, type SharedOptions } from './command.js';
import { drawCurves } from './plot/draw.js';
import { readLog } from './plot/log.js';

interface PlotOptions extends SharedOptions {
  readonly width: number;
  readonly height: number;
}

/** Pixels of a .png to a unit of the drawing. */
const DENSITY = 2;

/** `cortado plot`: the curves of trainings. */
export function register(command: Command): void {
  command
    .argument('<file...>', 'logs of trainings, JSON lines; then the picture to write: .svg or .png')
    .option('--width <n>', 'of the picture', positiveInteger, 900)
    .option('--height <n>', 'of the picture', positiveInteger, 420)
    .action(plot);
}

async function plot(files: readonly string[], { json, width, height }: PlotOptions): Promise<void> {
  const out = files.at(-1)!;
  const paths = files.slice(0, -1);
  const kind = extname(out).toLowerCase();
  if (kind !== '.svg' && kind !== '.png')
    throw new BadUsage(`plot: expected a last file named .svg or .png, got ${out}`);
  if (paths.length === 0) throw new BadUsage('plot: expected at least one log in front of the picture, got none');
  const logs = await Promise.all(paths.map(readLog));
  const svg = await drawCurves(logs, { width, height });
  await save(out, kind === '.svg' ? svg : await rasterized(svg));
  if (json)
    printJson({ file: out, series: logs.flatMap(({ name, curves }) => curves.map((c) => ({ log: name, ...c }))) });
  else print(out);
}

async function rasterized(svg: string): Promise<Buffer> {
  const { default: sharp } = await import('sharp');
  return sharp(Buffer.from(svg), { density: 72 * DENSITY })
    .png()
    .toBuffer();
}

async function save(path: string, content: string | Buffer): Promise<void> {
  try {
    await writeFile(path, content);
  } catch (cause) {
    throw new FormatError(`${path}: cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}
