/** Winograd's convolutions on the simulated GPU: each way to do them against sums in doubles, and how one is chosen. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { addonPath } from '../../lib/native.js';
import { typescript } from '../support/cli.js';
import type { Case } from '../support/convolutions.js';
import { assertClose, random, seeds } from '../support/ops.js';

const support = pathToFileURL(join(import.meta.dirname, '..', 'support', 'convolutions.ts')).href;
const built = existsSync(join(dirname(addonPath()), 'cortado_cuda_sim.so'));

type Square = Case & { readonly taps: number };

/** Edges of tiles, more images than the simulated cache holds, groups, pads of every width, sums that are divided. */
const fixed: readonly Square[] = [
  { images: 5, groups: 2, channels: 3, filters: 4, extent: [13, 12], taps: 3, pad: [1, 1], bias: true, seed: 1 },
  { images: 3, groups: 1, channels: 5, filters: 6, extent: [9, 11], taps: 4, pad: [3, 0], bias: true, seed: 2 },
  { images: 4, groups: 2, channels: 4, filters: 3, extent: [11, 14], taps: 5, pad: [2, 4], bias: false, seed: 3 },
  { images: 1, groups: 1, channels: 1, filters: 1, extent: [3, 3], taps: 3, pad: [0, 0], bias: false, seed: 4 },
  { images: 2, groups: 2, channels: 18, filters: 34, extent: [6, 7], taps: 3, pad: [1, 1], bias: true, seed: 5 },
];
const whole = (min: number, max: number) => fc.integer({ min, max });
const some: fc.Arbitrary<Square> = fc
  .record({
    images: whole(1, 4),
    groups: whole(1, 2),
    channels: whole(1, 5),
    filters: whole(1, 5),
    extent: fc.tuple(whole(5, 14), whole(5, 14)),
    taps: whole(3, 5),
    pad: fc.tuple(whole(0, 4), whole(0, 4)),
    bias: fc.boolean(),
    seed: seeds,
  })
  .filter(({ taps, pad }) => pad.every((p) => p < taps));
const cases: readonly Square[] = [...fixed, ...fc.sample(some, { numRuns: 8, seed: 20260101 })];

/** The result and the gradients of image, weight and bias by their definition. */
function sums({ images, groups, channels, filters, extent: [h, w], taps, pad, bias, seed }: Square): Float64Array[] {
  const [oh, ow] = [h + 2 * pad[0] - taps + 1, w + 2 * pad[1] - taps + 1];
  const [features, pictures] = [
    [images, groups * filters, oh, ow],
    [images, groups * channels, h, w],
  ];
  const [kernels, units] = [[groups * filters, channels, taps, taps], [groups * filters]];
  const [x, weight] = [random(pictures, seed).data, random(kernels, seed + 1).data];
  const [b, dy] = [random(units, seed + 2).data, random(features, seed + 3).data];
  const [y, dx] = [new Float64Array(dy.length), new Float64Array(x.length)];
  const [dweight, dbias] = [new Float64Array(weight.length), new Float64Array(b.length)];
  for (let feature = 0; feature < y.length; feature++) {
    const [column, row] = [feature % ow, Math.floor(feature / ow) % oh];
    const plane = Math.floor(feature / (ow * oh)) % (groups * filters);
    const image = Math.floor(feature / (ow * oh * groups * filters));
    for (let tap = 0; tap < channels * taps ** 2; tap++) {
      const channel = Math.floor(plane / filters) * channels + Math.floor(tap / taps ** 2);
      const r = row - pad[0] + (Math.floor(tap / taps) % taps);
      const s = column - pad[1] + (tap % taps);
      if (r < 0 || r >= h || s < 0 || s >= w) continue;
      const pixel = ((image * groups * channels + channel) * h + r) * w + s;
      const at = plane * channels * taps ** 2 + tap;
      y[feature]! += x[pixel]! * weight[at]!;
      dx[pixel]! += dy[feature]! * weight[at]!;
      dweight[at]! += dy[feature]! * x[pixel]!;
    }
    if (bias) y[feature]! += b[plane]!;
    dbias[plane]! += dy[feature]!;
  }
  return bias ? [y, dx, dweight, dbias] : [y, dx, dweight];
}

/** What each case gives on the simulated GPU, in a process of its own that keeps its choices in a folder. */
function compute(some: readonly Square[], folder: string, env: NodeJS.ProcessEnv = {}): number[][][] {
  const code = `
    import { run } from ${JSON.stringify(support)};
    const all = [];
    for (const one of ${JSON.stringify(some)}) all.push((await run(one, 'all')).map(({ data }) => [...data]));
    console.log(JSON.stringify(all));`;
  const { status, stdout, stderr } = spawnSync(process.execPath, [...typescript, '--input-type=module', '-e', code], {
    encoding: 'utf8',
    env: { ...process.env, CORTADO_DEVICE: 'cuda-sim', CORTADO_CACHE: folder, ...env },
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as number[][][];
}

/** What is chosen for, of all that is kept. */
function keys(folder: string): string[] {
  const files = readdirSync(join(folder, 'plans')).map((name) => join(folder, 'plans', name));
  return files.map((file) => readFileSync(file, 'utf8').split('\n')[0]!);
}

/** Choices among ways, as kept: file, key, time and way; the ways there were are in the key. */
function kept(folder: string): { file: string; key: string; milliseconds: number; way: string; ways: string[] }[] {
  return readdirSync(join(folder, 'plans'))
    .map((name) => join(folder, 'plans', name))
    .map((file) => ({ file, lines: readFileSync(file, 'utf8').split('\n') }))
    .filter(({ lines }) => / own \d+:/.test(lines[0]!))
    .map(({ file, lines: [key = '', time = '', way = ''] }) => {
      const ways = [...key.matchAll(/ (tiles of [^;]*|direct);/g)].map(([, name]) => name!);
      return { file, key, milliseconds: parseFloat(time), way, ways };
    });
}

/** Makes way number i the choice, and faster than all else, wherever there is one of tiles. */
function choose(folder: string, i: number): number {
  const changed = kept(folder).filter(({ ways }) => ways[i]?.startsWith('tiles'));
  for (const { file, key, ways } of changed) writeFileSync(file, `${key}\n0 ms\n${ways[i]!}`);
  return changed.length;
}

describe('Winograd on a GPU', function () {
  this.timeout(600_000);
  let folder: string;
  before(function () {
    if (built) return;
    console.log('    (the simulated GPU is not built: npm run build:sim)');
    this.skip();
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'cortado-plans-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** Fails unless the results of cases are the sums. */
  function assertRight(got: readonly number[][][], of: readonly Square[], what: string): void {
    of.forEach((one, number) => {
      const { images, taps } = one;
      sums(one).forEach((want, t) => {
        const name = `${what}, case ${number} of ${images} images and ${taps} taps, result ${t}`;
        assertClose(Float32Array.from(got[number]![t]!), want, name, 3e-5);
      });
    });
  }

  it('convolves in every way there is, forward and backward, as sums in doubles do', () => {
    compute(cases, folder);
    const tried = new Set<string>();
    for (let i = 0; choose(folder, i) > 0; i++) {
      for (const { way } of kept(folder)) tried.add(way);
      assertRight(compute(cases, folder), cases, `way ${i}`);
    }
    for (const way of ['7, 16', '7, 96', '8, 12', '8, 64']) assert.ok(tried.has(`tiles of ${way} at a time`), way);
    const known = keys(folder);
    // A row has at most 16 tiles there, and a sum as many numbers.
    assert.ok(
      known.some((key) => key.includes('conv2d_wgrad') && /tiles of 7, (?!1\d )\d\d+ at a time/.test(key)),
      'rows of tiles',
    );
    assert.ok(
      known.some((key) => key.endsWith(', one of 2 parts')),
      'sums in parts',
    );
  });

  it('is taken where it takes less time than a plan of cuDNN’s, as measured once', () => {
    const [small, large] = [fixed[3]!, { ...fixed[0]!, groups: 1, channels: 16, filters: 24 }];
    const first = compute([small, large], folder);
    assertRight(first, [small, large], 'at first');
    assert.deepEqual(compute([small, large], folder), first);
    // What is taken shows in the error of a product that fails.
    const failing = { CORTADO_SIM_ANSWER: 'cublasLtMatmul:13' };
    assert.throws(() => compute([large], folder, failing), /kernel conv2d: product in float32 of .*, 49 times/);
    compute([small], folder, failing);
    // Without a folder to keep a choice in, nothing is timed.
    compute([large], '', failing);
  });

  it('stands beside our own kernel where there is no cuDNN', () => {
    const without = { CORTADO_CUDNN: 'off' };
    compute([fixed[0]!], folder, without);
    assert.ok(kept(folder).every(({ ways }) => ways.length > 1 && ways.at(-1) === 'direct'));
    assert.equal(choose(folder, 0), 3);
    assertRight(compute([fixed[0]!], folder, without), [fixed[0]!], 'without cuDNN');
  });
});
