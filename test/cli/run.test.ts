import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeNpy } from '../../lib/npy.js';
import { array, manifest, type ArrayEntry, type LayerCase, type NetCase } from '../support/cases.js';
import { cli } from '../support/cli.js';
import { assertClose } from '../support/compare.js';
import { fixtures } from '../support/fixtures.js';
import { inProcess } from '../support/in-process.js';

const layers = fixtures('layers');
const nets = fixtures('nets');

function compare(out: string, file: string, from: string, entry: ArrayEntry): void {
  const [got, want] = [array(join(out, file)), array(join(from, entry.file))];
  assert.deepEqual(got.shape, want.shape, `${file}: shape`);
  assertClose(got.data, want.data, file);
}

/** Names of the blobs of a case: b0, b1, … go in; t0, t1, … come out, or b0 where the layer works in place. */
const topOf = (test: LayerCase, i: number): string => (test.in_place ? `b${i}` : `t${i}`);

function wordsFor(test: LayerCase, from: string, out: string): string[] {
  const given = test.tops.some((top) => top.diff);
  return [
    ...['run', '--model', join(from, test.name, 'net.prototxt'), '--phase', test.phase, '--output', out],
    ...test.bottoms.flatMap((b, i) => ['--input', `b${i}=${join(from, b.file)}`]),
    ...test.params.flatMap((p, i) => ['--param', `L:${i}=${join(from, p.file)}`]),
    ...(given ? ['--backward'] : []),
    ...(test.is_loss
      ? []
      : test.tops.flatMap((t, i) => (t.diff ? ['--top-diff', `${topOf(test, i)}=${join(from, t.diff.file)}`] : []))),
  ];
}

function compareLayer(test: LayerCase, from: string, out: string): void {
  test.tops.forEach((top, i) => compare(out, `${topOf(test, i)}.npy`, from, top));
  test.bottoms.forEach((b, i) => b.diff && compare(out, `b${i}.diff.npy`, from, b.diff));
  test.params.forEach((p, i) => p.diff && compare(out, `L.${i}.diff.npy`, from, p.diff));
  test.params.forEach((p, i) => p.after_forward && compare(out, `L.${i}.after.npy`, from, p.after_forward));
}

describe('cortado run', () => {
  const out = mkdtempSync(join(tmpdir(), 'cortado-run-'));
  const file = (name: string): string => join(out, name);
  const toy = file('toy.prototxt');
  before(() => {
    writeFileSync(
      toy,
      `name: "toy"
      layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 } } }
      layer { name: "a/fc" type: "InnerProduct" bottom: "data" top: "a/fc" inner_product_param { num_output: 2 } }
      layer { name: "relu" type: "ReLU" bottom: "a/fc" top: "a/fc" }`,
    );
    writeFileSync(file('x.npy'), encodeNpy({ data: Float64Array.of(1, 2, 3, 4), shape: [2, 2] }));
    writeFileSync(file('w.npy'), encodeNpy({ data: Float32Array.of(1, 0, 0, -1), shape: [2, 2] }));
    writeFileSync(file('d.npy'), encodeNpy({ data: Float32Array.of(5, 6, 7, 8), shape: [2, 2] }));
    writeFileSync(file('bad.npy'), encodeNpy({ data: Float32Array.of(1, 2, 3), shape: [1, 3] }));
    writeFileSync(file('cut.npy'), encodeNpy({ data: Float32Array.of(1, 2), shape: [1, 2] }).subarray(0, 130));
  });
  after(() => rmSync(out, { recursive: true }));

  it('writes what the last in-place layer left, and gradients of what the first layer made', () => {
    const words = ['run', '--model', toy, '--output', file('toy'), '--input', `data=${file('x.npy')}`];
    words.push('--param', `a/fc:0=${file('w.npy')}`, '--backward', '--top-diff', `a/fc=${file('d.npy')}`);
    const { code, stdout, stderr } = cli(words);
    assert.equal(stderr, '');
    assert.equal(code, 0);
    const names = ['a__fc.0.diff.npy', 'a__fc.1.diff.npy', 'a__fc.diff.npy', 'a__fc.npy', 'data.diff.npy', 'data.npy'];
    assert.deepEqual(readdirSync(file('toy')).sort(), names);
    for (const name of names) assert.ok(stdout.includes(name), stdout);
    const values = (name: string): number[] => Array.from(array(join(file('toy'), name)).data);
    assert.deepEqual(values('data.npy'), [1, 2, 3, 4]);
    assert.deepEqual(values('a__fc.npy'), [1, 0, 3, 0]);
    assert.deepEqual(values('a__fc.diff.npy'), [5, 0, 7, 0]);
    assert.deepEqual(values('a__fc.0.diff.npy'), [5 + 21, 10 + 28, 0, 0]);
    assert.deepEqual(values('a__fc.1.diff.npy'), [12, 0]);
    assert.deepEqual(values('data.diff.npy').map(Math.abs), [5, 0, 7, 0]);
  });

  it('says as JSON what it has written', async () => {
    const { code, stdout } = await inProcess([
      'run',
      '--model',
      toy,
      '--output',
      file('json'),
      '--input',
      `data=${file('x.npy')}`,
      '--json',
    ]);
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout), {
      net: 'toy',
      phase: 'TEST',
      output: file('json'),
      files: [
        { file: 'data.npy', shape: [2, 2] },
        { file: 'a__fc.npy', shape: [2, 2] },
      ],
    });
  });

  it('draws the same weights for the same seed, others for another', async () => {
    const drawn = toy.replace('toy', 'drawn');
    writeFileSync(
      drawn,
      `layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 2 dim: 2 } } }
      layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc" inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }`,
    );
    const answer = async (seed: number): Promise<number[]> => {
      const to = file(`seed${seed}`);
      const { code } = await inProcess([
        'run',
        '--model',
        drawn,
        '--output',
        to,
        '--input',
        `data=${file('x.npy')}`,
        '--seed',
        `${seed}`,
      ]);
      assert.equal(code, 0);
      return Array.from(array(join(to, 'fc.npy')).data);
    };
    const first = await answer(7);
    assert.deepEqual(await answer(7), first);
    assert.notDeepEqual(await answer(8), first);
  });

  it('answers misuse with one line and exit code 2, failure with one line and 1', async () => {
    const base = ['run', '--model', toy, '--output', file('none')];
    const good = ['--input', `data=${file('x.npy')}`];
    const cases: [string[], number, RegExp][] = [
      [['run', '--model', toy], 2, /--output/],
      [['run', '--output', out], 2, /--model/],
      [[...base, '--input', 'data'], 2, /NAME=file/],
      [[...base, ...good, '--phase', 'LEARN'], 2, /TRAIN, TEST/],
      [[...base, ...good, '--seed', '-1'], 2, /whole number/],
      [[...base, ...good, '--top-diff', `a/fc=${file('d.npy')}`], 2, /--backward/],
      [[...base, ...good, '--param', `nothing:0=${file('w.npy')}`], 2, /--param nothing:0/],
      [[...base, ...good, '--param', `a/fc:9=${file('w.npy')}`], 2, /I below 2/],
      [[...base, ...good, '--backward', '--top-diff', `zz=${file('d.npy')}`], 2, /--top-diff zz/],
      [base, 1, /"data"/],
      [[...base, ...good, '--backward'], 1, /expected a loss/],
      [[...base, '--input', `data=${file('missing.npy')}`], 1, /missing\.npy: cannot be read/],
      [[...base, '--input', `data=${file('cut.npy')}`], 1, /cut\.npy/],
      [[...base, '--input', `dota=${file('x.npy')}`], 1, /dota/],
      [[...base, ...good, '--param', `a/fc:0=${file('bad.npy')}`], 1, /a\/fc/],
      [[...base, ...good, '--weights', file('x.npy')], 1, /x\.npy/],
      [['run', '--model', file('x.npy'), '--output', out], 1, /x\.npy/],
      [['run', '--model', file('none.prototxt'), '--output', out], 1, /none\.prototxt/],
    ];
    for (const [words, expected, message] of cases) {
      const { code, stdout, stderr } = await inProcess(words);
      assert.equal(code, expected, `${words.join(' ')}: ${stderr}`);
      assert.equal(stdout, '', words.join(' '));
      assert.match(stderr, message);
      assert.ok(expected === 2 || stderr.trim().split('\n').length === 1, stderr);
      assert.doesNotMatch(stderr, /\n\s+at /);
    }
    assert.ok(!existsSync(file('none')));
  });

  if (!layers) return;
  for (const test of manifest(layers).cases.filter(({ mask }) => !mask)) {
    it(`gives what Caffe gives: ${test.name}`, async () => {
      const to = file(test.name);
      const { code, stderr } = await inProcess(wordsFor(test, layers, to));
      assert.equal(code, 0, stderr);
      compareLayer(test, layers, to);
      rmSync(to, { recursive: true });
    });
  }

  if (!nets) return;
  for (const net of manifest(nets).nets)
    it(`gives what Caffe gives: ${net.name}`, () => compareNet(net, nets, file(net.name)));
});

/** A whole net in both phases: the blobs that Caffe's last in-place layers left, and all gradients. */
async function compareNet(net: NetCase, from: string, out: string): Promise<void> {
  for (const phase of ['test', 'train'] as const) {
    const words = [
      'run',
      '--model',
      join(from, net.train_val_prototxt),
      '--weights',
      join(from, net.weights),
      '--phase',
      phase.toUpperCase(),
    ];
    words.push(
      '--input',
      `data=${join(from, net.data.file)}`,
      '--input',
      `label=${join(from, net.label.file)}`,
      '--backward',
      '--output',
      out,
    );
    const { code, stderr } = await inProcess(words);
    assert.equal(code, 0, stderr);
    const last = new Map((net[`forward_${phase}`] ?? []).map((entry) => [entry.top, entry]));
    last.forEach((entry, top) => compare(out, `${top}.npy`, from, entry));
    for (const entry of net[`blob_diffs_${phase}`] ?? []) compare(out, `${entry.blob}.diff.npy`, from, entry);
    for (const entry of net[`param_diffs_${phase}`] ?? [])
      compare(out, `${entry.layer}.${entry.param}.diff.npy`, from, entry);
  }
  for (const entry of net.batchnorm_blobs_after_train_forward ?? [])
    compare(out, `${entry.layer}.${entry.param}.after.npy`, from, entry);
  rmSync(out, { recursive: true });
}
