/** Times layers of other nets than AlexNet, each beside PyTorch where CORTADO_PYTHON has it: shapes.json. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Command } from 'commander';
import { info } from '../lib/native.js';
import { measurePeak } from '../lib/probe.js';
import { align } from '../lib/table.js';
import { benchCase } from './kernels.js';
import { caseOf, layersOf, type Layer } from './layers.js';
import { formatPeak } from './report.js';

/** One pass of a layer; what the peer takes is absent where there is none. */
interface Row {
  readonly name: string;
  readonly pass: string;
  readonly batch: number;
  readonly ms: number;
  readonly gflops: number;
  readonly peer?: number;
}

/** PyTorch, answering one case at a time, so that both are measured within seconds of each other. */
async function startPeer(threads: number, seconds: number): Promise<Peer | undefined> {
  const python = process.env.CORTADO_PYTHON;
  if (!python) return undefined;
  const script = join(import.meta.dirname, 'shapes_peers.py');
  const child = spawn(python, [script, `${threads}`, `${seconds}`], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<Readonly<Record<string, number | string>>> => {
    const answer = await lines.next();
    if (answer.done === true) throw new Error(`${python} ${script}: it ended without an answer`);
    return JSON.parse(answer.value) as Readonly<Record<string, number | string>>;
  };
  const { peer } = await next();
  return {
    name: `${peer}`,
    time: (layer, batch) => {
      child.stdin.write(`${JSON.stringify({ ...layer, batch })}\n`);
      return next() as Promise<Readonly<Record<string, number>>>;
    },
    end: () => child.stdin.end(),
  };
}

interface Peer {
  readonly name: string;
  readonly time: (layer: Layer, batch: number) => Promise<Readonly<Record<string, number>>>;
  readonly end: () => void;
}

const { batch, seconds, filter, json } = new Command('bench:shapes')
  .description('Times layers of other nets, beside PyTorch where CORTADO_PYTHON names an interpreter that has it.')
  .option('--batch <list>', 'batch sizes', '1,16')
  .option('--seconds <n>', 'time for each layer, and for each pass of the peer', '0.5')
  .option('--filter <regex>', 'only layers whose names match', '.')
  .option('--json <file>', 'write the report')
  .parse()
  .opts<{ batch: string; seconds: string; filter: string; json?: string }>();

const { threads } = info();
const peak = await measurePeak(threads);
const peer = await startPeer(threads, Number(seconds));
const rows: Row[] = [];
for (const size of batch.split(',').map(Number)) {
  for (const layer of layersOf(new RegExp(filter))) {
    const own = await benchCase(caseOf(layer), size, peak, Number(seconds), {});
    const theirs = await peer?.time(layer, size);
    for (const { kernel: pass, ms, gflops } of own)
      rows.push({ name: layer.name, pass, batch: size, ms, gflops, ...(theirs && { peer: theirs[pass]! }) });
  }
}
peer?.end();

console.log(`${formatPeak(peak)}\n`);
const names = ['layer', 'pass', 'batch', 'ms', 'GFLOP/s', ...(peer ? [peer.name, 'cortado is'] : [])];
const lines = rows.map((row) => [
  ...[row.name, row.pass, `${row.batch}`, row.ms.toFixed(3), row.gflops.toFixed(0)],
  ...(row.peer === undefined ? [] : [row.peer.toFixed(3), `${(row.peer / row.ms).toFixed(2)} x`]),
]);
console.log(align([names, ...lines], 2));
if (json)
  writeFileSync(
    json,
    `${JSON.stringify({ date: new Date().toISOString(), node: process.version, machine: peak, peer: peer?.name, rows }, null, 2)}\n`,
  );
