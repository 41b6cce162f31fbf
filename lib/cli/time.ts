import { SingleBar } from 'cli-progress';
import type { Command } from 'commander';
import { measurePeak } from '../probe.js';
import { align } from '../table.js';
import { computing, positiveInteger, print, printJson, type ComputeOptions } from './command.js';
import { openNet } from '../nets/open.js';
import { addModel, type ModelOptions } from './net.js';
import { timeNet, type PassTime, type Timing } from './timing.js';

interface TimeOptions extends ComputeOptions, ModelOptions {
  readonly batch?: number;
  readonly iterations: number;
  readonly backward?: boolean;
}

/** `cortado time`: how long each layer takes. */
export function register(command: Command): void {
  addModel(computing(command))
    .option('--batch <n>', "images of a run (default: the net's own)", positiveInteger)
    .option('--iterations <n>', 'runs to take the median of', positiveInteger, 10)
    .option('--backward', 'time the gradients of all learned parameters too, as in training')
    .addHelpText(
      'after',
      `
"of peak" is the time that the machine would need at its measured peak, of arithmetic or of memory traffic, whichever
takes longer, over the time taken. Bytes are what a layer must move at least: small layers in a cache can go over 100%.`,
    )
    .action(time);
}

async function time(options: TimeOptions): Promise<void> {
  const backward = options.backward ?? false;
  const { graph } = await openNet(options, backward ? 'TRAIN' : 'TEST');
  const peak = await measurePeak(options.threads);
  const bar = new SingleBar({ format: 'timing {bar} {value}/{total}', clearOnComplete: true, hideCursor: true });
  if (process.stderr.isTTY) bar.start(options.iterations, 0);
  try {
    const { device, threads, iterations } = options;
    const batch = options.batch ?? graph.batch;
    const onIteration = (done: number): void => bar.update(done);
    const timing = await timeNet(graph, peak, { batch, iterations, backward, device, threads, onIteration });
    bar.stop();
    if (options.json) printJson(timing);
    else print(formatTiming(timing));
  } finally {
    bar.stop();
  }
}

/** A timing as a table for people. */
export function formatTiming(timing: Timing): string {
  const { name, batch, iterations, peak, layers, forward, backward } = timing;
  const machine = `${peak.threads} ${peak.threads === 1 ? 'thread' : 'threads'}, ${peak.isa}`;
  const best = `measured peak ${peak.gflops.toFixed(0)} GFLOP/s, ${peak.gbps.toFixed(1)} GB/s`;
  const title = `${name}, batch ${batch}, ${machine}; ${best}; median of ${iterations}`;
  const units = ['ms', 'GFLOP/s', 'GB/s', 'of peak'];
  const header = [
    'layer',
    'op',
    ...['forward ms', ...units.slice(1)],
    ...(backward ? ['backward ms', ...units.slice(1)] : []),
  ];
  const rows = layers
    .filter((layer) => layer.forward ?? layer.backward)
    .map((layer) => [layer.name, layer.op, ...cells(layer.forward), ...(backward ? cells(layer.backward) : [])]);
  const total = ['total', '', ...cells(forward), ...(backward ? cells(backward) : [])];
  const images = (batch / (forward.milliseconds + (backward?.milliseconds ?? 0))) * 1000;
  const rate = `${images.toFixed(images < 100 ? 1 : 0)} images/s${backward ? ' forward and backward' : ''}`;
  return `${title}\n${align([header, ...rows, total], 2)}\n${rate}`;
}

function cells(pass: PassTime | undefined): string[] {
  if (!pass) return ['', '', '', ''];
  const { milliseconds, gflops, gbps, share } = pass;
  return [milliseconds.toFixed(2), gflops.toFixed(1), gbps.toFixed(1), `${(100 * share).toFixed(0)}%`];
}
