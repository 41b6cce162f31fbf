import type { Command } from 'commander';
import { formatSummary, summarize } from '../table.js';
import { positiveInteger, print, printJson, type SharedOptions } from './command.js';
import { openNet } from '../nets/open.js';
import { addModel, type ModelOptions } from './net.js';

interface SummaryOptions extends SharedOptions, ModelOptions {
  readonly batch?: number;
}

/** `cortado summary`: a net as a table. */
export function register(command: Command): void {
  addModel(command).option('--batch <n>', "images of a run (default: the net's own)", positiveInteger).action(summary);
}

async function summary(options: SummaryOptions): Promise<void> {
  const { graph } = await openNet(options);
  const result = summarize(graph, options.batch);
  if (options.json) printJson(result);
  else print(`${graph.name}\n${formatSummary(result)}`);
}
