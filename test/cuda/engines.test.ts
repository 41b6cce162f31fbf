/**
 * Asks cuDNN itself, where it is at hand, whether it has an engine on an H200 and on an A100 for every convolution that the
 * CUDA backend gives it: all layers of the ready-made nets, in every precision, forward (with bias and ReLU) and backward.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findLibrary } from '../../lib/cli/libraries.js';
import {
  alexnet,
  alexnetOwt,
  caffenet,
  cifar10Full,
  cifar10Quick,
  lenet,
  squeezenet,
  type Graph,
} from '../../lib/index.js';
import { CUDNN } from '../../lib/libraries.js';
import { lower } from '../../lib/lower.js';
import { GPU, optimize } from '../../lib/passes/index.js';

const root = join(import.meta.dirname, '..', '..');

/** GPUs as cuDNN describes them, by their data sheets. */
const common = {
  cudaDeviceId: 0,
  driverVer: 13000,
  isTccDriver: 0,
  maxCtasPerSM: 32,
  maxRegistersPerSM: 65536,
  maxSharedMemoryPerBlock: 49152,
  maxThreadsPerBlock: 1024,
  maxThreadsPerSM: 2048,
  regsPerBlock: 65536,
  reservedSharedMemoryPerBlock: 1024,
  smCountOrigin: 0,
  supportCoopLaunch: 1,
  warpSize: 32,
  maxGridSize: [2147483647, 65535, 65535],
  maxBlockSize: [1024, 1024, 64],
};
const GPUS = {
  H200: {
    ...common,
    deviceName: 'NVIDIA H200',
    deviceVer: 900,
    l2CacheSize: 62914560,
    maxSharedMemoryPerBlockOptin: 232448,
    memClockRateKHz: 3201000,
    multiProcessorCount: 132,
    pciDeviceId: 9013,
    smClockRateKHz: 1980000,
    totalGlobalMem: 150754820096,
  },
  A100: {
    ...common,
    deviceName: 'NVIDIA A100-SXM4-80GB',
    deviceVer: 800,
    l2CacheSize: 41943040,
    maxSharedMemoryPerBlockOptin: 166912,
    memClockRateKHz: 1593000,
    multiProcessorCount: 108,
    pciDeviceId: 8370,
    smClockRateKHz: 1410000,
    totalGlobalMem: 85198045184,
  },
};

/** Every convolution of a net at that batch size, as it is and as passes make it, as a line of what engines.cpp reads. */
function convolutions(net: Graph, batch: number): string[] {
  const fetch = net.values.filter(({ source }) => typeof source === 'object' && 'node' in source);
  const { program } = lower(net, { batch, phase: 'test', fetch, gradients: [], seeds: [] });
  const rewritten = optimize(program, { passes: 'all', precision: 'bfloat16', target: GPU });
  return [...program.steps, ...rewritten.steps]
    .filter(({ kernel }) => kernel === 'conv2d')
    .map(({ inputs: [x, weight], outputs: [y], attributes: a }) => {
      const [images, , ...image] = x!.shape;
      const [filters, channels, ...taps] = weight!.shape;
      const groups = a.groups as number;
      const axis = (i: 0 | 1, side: 'H' | 'W'): unknown[] => [
        ...[image[i], y!.shape[2 + i], taps[i]],
        ...[a[`stride${side}`], a[`pad${side}`], a[`dilation${side}`]],
      ];
      return [images, groups, channels, filters! / groups, ...axis(0, 'H'), ...axis(1, 'W')].join(' ');
    });
}

describe('engines of cuDNN', function () {
  this.timeout(600_000);
  const folder = mkdtempSync(join(tmpdir(), 'cortado-engines-'));
  const program = join(folder, 'engines');
  after(() => rmSync(folder, { recursive: true }));
  let library: string | undefined;

  before(async function () {
    library = (await findLibrary(CUDNN, undefined)).path;
    if (library === undefined) {
      console.log('    (no cuDNN at hand to ask for engines: pip install nvidia-cudnn-cu13)');
      return this.skip();
    }
    const vendor = ['library', 'cudnn', 'convolution', 'convolution_graph'];
    const sources = [
      ...vendor.map((name) => join(root, 'native', 'cuda', 'vendor', `${name}.cpp`)),
      ...['core/error.cpp', 'cuda/sim/fibers.cpp'].map((file) => join(root, 'native', file)),
      join(import.meta.dirname, 'engines.cpp'),
    ];
    const include = `-I${join(root, 'native', 'cuda', 'sim')}`;
    const build = spawnSync(process.env.CXX ?? 'g++', ['-std=c++20', include, ...sources, '-o', program, '-ldl'], {
      encoding: 'utf8',
    });
    assert.equal(build.status, 0, build.stderr);
  });

  const nets: Readonly<Record<string, Graph>> = {
    alexnet: alexnet(),
    caffenet: caffenet(),
    'alexnet-owt': alexnetOwt(),
    squeezenet: squeezenet(),
    'cifar10-quick': cifar10Quick(),
    'cifar10-full': cifar10Full(),
    lenet: lenet(),
  };
  for (const [gpu, description] of Object.entries(GPUS)) {
    it(`are there on an ${gpu} for every convolution of ${Object.keys(nets).join(', ')}`, function () {
      const shapes = [...new Set(Object.values(nets).flatMap((net) => [1, 128].flatMap((n) => convolutions(net, n))))];
      const file = join(folder, `${gpu}.json`);
      writeFileSync(file, JSON.stringify(description));
      const run = spawnSync(program, [library!, file], {
        input: shapes.join('\n'),
        encoding: 'utf8',
        maxBuffer: 2 ** 26,
      });
      if (run.status === 2) {
        console.log(`    (${run.stderr.trim()})`);
        return this.skip();
      }
      assert.equal(run.status, 0, run.stderr);
      const lines = run.stdout.trim().split('\n');
      // Four precisions; three passes, and two fused forms of the first in all but float16.
      assert.equal(lines.length, shapes.length * (3 * 5 + 3));
      assert.deepEqual(
        lines.filter((line) => !line.startsWith('ok')),
        [],
      );
    });
  }
});
