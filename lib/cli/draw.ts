import { writeFile } from 'node:fs/promises';
import { instance } from '@viz-js/viz';
import type { Command } from 'commander';
import { Option } from 'commander';
import { toDot } from '../dot.js';
import { positiveInteger, print, printJson, type SharedOptions } from './command.js';
import { openNet } from '../nets/open.js';
import { addModel, type ModelOptions } from './net.js';

interface DrawOptions extends SharedOptions, ModelOptions {
  readonly batch?: number;
  readonly format?: 'dot' | 'svg';
  readonly output?: string;
}

/** `cortado draw`: a net as a drawing. */
export function register(command: Command): void {
  addModel(command)
    .option('--batch <n>', "images of a run (default: the net's own)", positiveInteger)
    .addOption(
      new Option('--format <format>', 'default: svg for an output file that ends so, else dot').choices(['dot', 'svg']),
    )
    .option('--output <file>', 'write here instead of to standard output')
    .action(draw);
}

async function draw(options: DrawOptions): Promise<void> {
  const { graph } = await openNet(options);
  const format = options.format ?? (options.output?.toLowerCase().endsWith('.svg') ? 'svg' : 'dot');
  const dot = toDot(graph, options.batch);
  const text = format === 'svg' ? (await instance()).renderString(dot, { format: 'svg' }) : dot;
  if (options.output !== undefined) await writeFile(options.output, text);
  if (options.json) {
    printJson({ name: graph.name, format, ...(options.output === undefined ? { text } : { output: options.output }) });
  } else if (options.output === undefined) {
    print(text);
  }
}
