/**
 * How much of a net's offline throughput is left over HTTP, and of decoding and computing when they overlap:
 * npm run bench:serve -- --clients 64 --batch 32 --seconds 20
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import sharp from 'sharp';
import { exportNet, toCaffemodel, writeCaffemodel } from '../lib/caffe/index.js';
import { cutPlanes, decodeImage } from '../lib/images/index.js';
import { compile, loadClassifier, squeezenet, type Model } from '../lib/index.js';
import { median } from './timing.js';

const options = new Command('bench:serve')
  .description('Times SqueezeNet over HTTP and from JPEG files beside the same net alone.')
  .option('--clients <n>', 'concurrent clients', Number, 64)
  .option('--batch <n>', 'pictures of a run', Number, 32)
  .option('--seconds <n>', 'time for the requests', Number, 20)
  .parse()
  .opts<{ clients: number; batch: number; seconds: number }>();

const SIDE = 227;
const PIXELS = 3 * SIDE * SIDE;
/** Runs of the net alone, before and after the requests: a shared machine changes meanwhile. */
const RUNS = 3;
const folder = mkdtempSync(join(tmpdir(), 'cortado-bench-'));
try {
  await main();
} finally {
  rmSync(folder, { recursive: true });
}

async function main(): Promise<void> {
  const net = squeezenet();
  await using model = await compile(net, { batch: options.batch });
  // Random weights take as long as learned ones.
  const weights = await model.weights();
  await writeCaffemodel(join(folder, 'net.caffemodel'), toCaffemodel(exportNet(net), weights));
  writeFileSync(join(folder, 'cortado.json'), JSON.stringify({ model: 'squeezenet', weights: 'net.caffemodel' }));
  await overHttp(model);
  await fromFiles(model);
}

/** Milliseconds of runs of the net alone, pictures copied in and answers out. */
async function alone(model: Model, data: Uint8Array, runs: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = -1; i < runs; i++) {
    const began = performance.now();
    await model.forward({ data }, { fetch: ['prob'] });
    if (i >= 0) times.push(performance.now() - began);
  }
  return times;
}

async function overHttp(model: Model): Promise<void> {
  const batch = new Uint8Array(options.batch * PIXELS).fill(100);
  const server = await start();
  const before = await alone(model, batch, RUNS);
  const { latencies, milliseconds } = await load(server.url);
  const after = await alone(model, batch, RUNS);
  server.process.kill('SIGTERM');
  await once(server.process, 'exit');
  const run = median([...before, ...after]);
  const [offline, served] = [(1000 * options.batch) / run, (1000 * latencies.length) / milliseconds];
  const sorted = latencies.sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
  console.log(
    `alone: ${offline.toFixed(1)} pictures/s, ${run.toFixed(0)} ms for ${options.batch} ` +
      `(${[...before, ...after].map((ms) => ms.toFixed(0)).join(', ')})\n` +
      `over HTTP, ${options.clients} clients: ${served.toFixed(1)} pictures/s, ${((100 * served) / offline).toFixed(0)} % of it; ` +
      `${sorted.length} answers, p50 ${at(0.5).toFixed(0)} ms, p99 ${at(0.99).toFixed(0)} ms, ${(at(0.99) / run).toFixed(2)} batches`,
  );
}

/** `cortado serve`, in a process of its own. */
async function start(): Promise<{ readonly process: ChildProcess; readonly url: string }> {
  const main = fileURLToPath(new URL('../lib/cli/main.ts', import.meta.url));
  const words = ['serve', `net=${folder}`, '--port', '0', '--batch', String(options.batch), '--log', 'warn'];
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), main, ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [url] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { process: child, url };
}

/** Clients that each send the next picture when they have the answer for the last. */
async function load(url: string): Promise<{ latencies: number[]; milliseconds: number }> {
  const header = JSON.stringify({
    inputs: [
      {
        ...{ name: 'data', shape: [1, 3, SIDE, SIDE], datatype: 'UINT8' },
        parameters: { binary_data_size: PIXELS },
      },
    ],
    parameters: { binary_data_output: true },
  });
  const body = Buffer.concat([Buffer.from(header), Buffer.alloc(PIXELS, 100)]);
  const headers = { 'content-length': body.length, 'inference-header-content-length': header.length };
  const agent = new Agent({ keepAlive: true, maxSockets: options.clients });
  const ask = async (): Promise<void> => {
    const sent = request(`${url}/v2/models/net/infer`, { method: 'POST', agent, headers }).end(body);
    const [response] = (await once(sent, 'response')) as [NodeJS.ReadableStream & { statusCode: number }];
    response.resume();
    await once(response, 'end');
    if (response.statusCode !== 200) throw new Error(`answered with ${response.statusCode}`);
  };
  // Every batch size that occurs is planned once.
  await Promise.all(Array.from({ length: options.clients }, ask));
  const latencies: number[] = [];
  const began = performance.now();
  const client = async (): Promise<void> => {
    while (performance.now() - began < 1000 * options.seconds) {
      const since = performance.now();
      await ask();
      latencies.push(performance.now() - since);
    }
  };
  await Promise.all(Array.from({ length: options.clients }, client));
  agent.destroy();
  return { latencies, milliseconds: performance.now() - began };
}

async function fromFiles(model: Model): Promise<void> {
  const count = 2 * options.batch;
  const jpeg = await photograph();
  using classify = await loadClassifier(folder, { batch: options.batch });
  const one = async (): Promise<void> => {
    await cutPlanes(await decodeImage(jpeg), { resize: 256, crop: SIDE });
  };
  const decode = async (): Promise<void> => {
    await Promise.all(Array.from({ length: count }, one));
  };
  const compute = async (): Promise<void> => {
    const data = new Uint8Array(options.batch * PIXELS);
    for (let i = 0; i < count; i += options.batch) await model.forward({ data }, { fetch: ['prob'] });
  };
  const both = async (): Promise<void> => {
    await classify(Array.from({ length: count }, () => jpeg));
  };
  const times = { decode: [] as number[], compute: [] as number[], both: [] as number[] };
  for (let i = 0; i <= RUNS; i++) {
    for (const [name, work] of Object.entries({ decode, compute, both })) {
      const began = performance.now();
      await work();
      // The first finds memory and caches cold.
      if (i > 0) times[name as keyof typeof times].push(performance.now() - began);
    }
  }
  const [decoding, computing, overlapped] = [median(times.decode), median(times.compute), median(times.both)];
  console.log(
    `${count} JPEG files of 500 x 375: decoding ${decoding.toFixed(0)} ms, computing ${computing.toFixed(0)} ms, ` +
      `classified in ${overlapped.toFixed(0)} ms: speed ${((100 * (decoding + computing)) / overlapped).toFixed(0)} % of one after the other`,
  );
}

/** Something with edges and shades, as JPEG. */
async function photograph(): Promise<Buffer> {
  const data = Uint8Array.from({ length: 3 * 500 * 375 }, (_, i) => 128 + 100 * Math.sin(i / 700) * Math.cos(i / 31));
  return sharp(data, { raw: { width: 500, height: 375, channels: 3 } })
    .jpeg()
    .toBuffer();
}
