import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { info } from '../lib/native.js';
import { measurePeak } from '../lib/probe.js';
import { formatAccuracy } from './accuracy.js';
import { formatRounding } from './rounding.js';
import { benchCaffe, CAFFE } from './caffe.js';
import { benchKernels } from './kernels.js';
import { benchNets, type NetRow } from './nets.js';
import { formatGoals, formatKernelGoals } from './goals.js';
import { benchPeers, benchPeersLonger, CIFAR10_PEERS, PEERS, watchMemory } from './peers.js';
import { compareReports, formatKernels, formatNets, formatPeak, type Report } from './report.js';

interface Options {
  readonly kernels?: true;
  readonly nets?: true;
  readonly accuracy?: true;
  readonly images: string;
  readonly peers?: true | string;
  readonly batch: string;
  readonly seconds: string;
  readonly filter: string;
  readonly json?: string;
  readonly compare?: string;
  readonly memoryChild?: true;
}

const program = new Command('bench')
  .description(
    'Times kernels and nets, beside other libraries where they are installed. Without --kernels or --nets: both.',
  )
  .option('--kernels', 'only the kernels, on the shapes of AlexNet')
  .option('--nets', 'only whole nets')
  .option('--accuracy', 'only errors: of the convolutions by algorithm, of products in bfloat16 and int8')
  .option(
    '--peers [regex]',
    'time the peers too, those whose name matches (CORTADO_PEERS: script, CORTADO_PYTHON: interpreter, CORTADO_CAFFE: the program of the original Caffe)',
  )
  .option('--batch <list>', 'batch sizes of the kernels', '1,64')
  .option('--images <n>', 'whose convolutions --accuracy looks at', '8')
  .option('--seconds <n>', 'time for each case, or as long as ten runs take', '3')
  .option('--filter <regex>', 'only cases that match, such as kernel/conv or bvlc/train', '.')
  .option('--json <file>', 'write the report')
  .option('--compare <file>', 'compare with an earlier report')
  .option('--memory-child', 'run one training step and stop: what the memory figure is taken from');

await main(program.parse().opts<Options>());

async function main(options: Options): Promise<void> {
  const seconds = Number(options.seconds);
  const filter = new RegExp(options.filter);
  if (options.memoryChild) {
    await benchNets(0, /^bvlc\/train/);
    return;
  }
  if (options.accuracy) {
    console.log(`${await formatAccuracy(Number(options.images))}\n\n${await formatRounding()}`);
    return;
  }
  const { threads } = info();
  const peak = await measurePeak(threads);
  const both = !options.kernels && !options.nets;
  console.log(formatPeak(peak));

  const kernels =
    options.kernels || both ? await benchKernels(options.batch.split(',').map(Number), peak, seconds, filter) : [];
  if (kernels.length > 0) console.log(`\n${formatKernels(kernels)}\n\n${formatKernelGoals(kernels)}`);

  const nets: NetRow[] = options.nets || both ? await benchNets(seconds, filter) : [];
  const peers = options.peers && (await timePeers(options.peers === true ? '.' : options.peers, seconds, threads));
  if (peers) nets.push(...peers.rows);
  const memory = peers ? peers.memory : {};
  if (nets.length > 0) console.log(`\n${formatNets(nets, memory)}\n\n${formatGoals(nets)}`);

  const report: Report = {
    date: new Date().toISOString(),
    node: process.version,
    machine: peak,
    kernels,
    nets,
    memory,
  };
  if (options.json) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  if (options.compare)
    console.log(`\n${compareReports(JSON.parse(readFileSync(options.compare, 'utf8')) as Report, report)}`);
}

/** The peers whose names match, and the memory that a training step takes in one of them and in Cortado. */
async function timePeers(
  names: string,
  seconds: number,
  threads: number,
): Promise<Pick<Report, 'memory'> & { rows: NetRow[] }> {
  const all = [
    await benchPeersLonger(PEERS, `(${names}).*/bvlc/(infer|train)/b(1|64)$`, seconds, threads),
    await benchPeersLonger(CIFAR10_PEERS, names, seconds, threads),
    await benchCaffe(CAFFE, names, seconds, threads),
  ];
  for (const line of all.flatMap(({ skipped }) => skipped)) console.log(`skipped: ${line}`);
  const memory: Record<string, number> = {};
  const eager = await benchPeers(PEERS, `^(?=.*(${names}))torch.*:eager/bvlc/train/b64$`, 0, threads);
  if (eager.rows.length > 0) memory['torch eager, bvlc/train, batch 64'] = eager.peakBytes;
  memory['cortado, bvlc/train, batch 64'] = await ownPeak();
  return { rows: all.flatMap(({ rows }) => rows), memory };
}

/** Largest resident size of a process of its own that does one AlexNet training step at batch 64, in bytes. */
async function ownPeak(): Promise<number> {
  const child = spawn(process.execPath, ['--import', 'tsx', fileURLToPath(import.meta.url), '--memory-child'], {
    stdio: 'inherit',
  });
  const watch = watchMemory(child.pid);
  await new Promise((done) => child.on('close', done));
  return watch();
}
