import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readCaffemodel, readSolverstate } from '../../lib/caffe/index.js';
import { importImages } from '../../lib/data/index.js';
import { readCheckpoint } from '../../lib/train/index.js';
import { scratch } from '../data/sources/support.js';
import { commandLine, type CliResult } from '../support/cli.js';
import { inProcess } from '../support/in-process.js';
import { colourFolder, writeNet, writeSolver } from '../support/training.js';

interface Line {
  readonly type: string;
  readonly iteration?: number;
  readonly loss?: number;
  readonly metrics?: Readonly<Record<string, number>>;
  readonly [key: string]: unknown;
}

function lines(text: string): Line[] {
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

async function ok(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await inProcess(words);
  assert.equal(code, 0, stderr);
  return stdout;
}

describe('cortado train', function () {
  this.timeout(120_000);
  const { path: folder } = scratch();
  const at = (...names: string[]): string => join(folder, ...names);
  let net: string;
  let solver: string;

  before(async () => {
    await colourFolder(at('photos'));
    await importImages(at('photos'), at('db'), { resize: [8, 8], shuffle: 1 });
    net = writeNet(at('small.prototxt'));
    solver = writeSolver(folder, at('db'));
  });

  const common = (output: string): string[] => ['train', '--net', net, '--data', at('photos'), '--output', at(output)];

  it('learns from a folder of pictures without a file of Caffe, tells how, and leaves a net behind', async () => {
    const log = at('folder.jsonl');
    const words = ['--test-data', at('photos'), '--iterations', '80', '--lr', '0.01', '--batch', '6'];
    const stdout = await ok(...common('runs/small'), ...words, '--eval-every', '20', '--display', '20', '--log', log);
    assert.match(stdout, /^small: \d+ parameters; 12 images, 80 iterations of 6; cpu, \d+ threads?\n/);
    assert.match(stdout, /\niteration 40 {2}epoch 20\.00 {2}loss [\d.e-]+ {2}rate [\d.e-]+ {2}[\d,.]+ images\/s/);
    assert.match(stdout, /\niteration 80 {2}test {2}accuracy 1\.000 {2}loss/);
    assert.match(
      stdout,
      /\ntrained: iteration 80 after .*\n.*small_iter_80\.safetensors\n.*small_best\.safetensors\n$/,
    );
    const records = lines(readFileSync(log, 'utf8'));
    const of = (type: string): Line[] => records.filter((each) => each.type === type);
    assert.deepEqual(
      of('step').map(({ iteration }) => iteration),
      [20, 40, 60, 80],
    );
    assert.equal(of('evaluation').at(-1)!.metrics!.accuracy, 1);
    assert.equal(of('begin').length + of('end').length, 2);
    await ok('plot', log, at('curves.svg'));
    assert.match(readFileSync(at('curves.svg'), 'utf8'), /training loss[\s\S]*test accuracy/);
  });

  it('leaves a checkpoint that test and classify need nothing else for', async () => {
    const weights = at('runs', 'small_best.safetensors');
    const tested = await ok('test', '--weights', weights, '--data', at('photos'));
    assert.match(tested, /^accuracy 1\.000 {2}loss [\d.e-]+ {2}\(12 images in/);
    assert.match(tested, /\nred +100\.0% +100\.0% +4\n/);
    const found = JSON.parse(await ok('test', '--weights', weights, '--data', at('photos'), '--json')) as {
      confusion: number[][];
      metrics: Record<string, number>;
    };
    assert.deepEqual(found.confusion, [
      [4, 0, 0],
      [0, 4, 0],
      [0, 0, 4],
    ]);
    const picture = at('photos', 'green', '1.png');
    assert.match(await ok('classify', '--weights', weights, picture), /^\S+\t1\t[01]\.\d+\t1\tgreen\n/);
  });

  it('says that its log cannot be written, and goes on', async function () {
    if (!existsSync('/dev/full')) this.skip();
    const { code, stderr } = await inProcess([...common('unlogged'), '--iterations', '2', '--log', '/dev/full']);
    assert.equal(code, 0, stderr);
    assert.equal(stderr.match(/^--log: cannot write \/dev\/full: ENOSPC.*; going on without it$/gm)?.length, 1, stderr);
  });

  it('prints JSON lines for programs', async () => {
    const records = lines(
      await ok(...common('json'), '--iterations', '3', '--json', '--display', '1', '--statistics', '2'),
    );
    assert.deepEqual(
      records.map(({ type }) => type),
      ['begin', 'step', 'step', 'step', 'checkpoint', 'end'],
    );
    const second = records[2]! as unknown as { statistics: { gradients: Record<string, { deviation: number }> } };
    assert.ok(second.statistics.gradients['fc.weight']!.deviation > 0);
  });

  it('goes on from a checkpoint to the same bits, and with --snapshot alone from the newest', async () => {
    const words = ['--epochs', '20', '--batch', '5', '--checkpoint-every', '10', '--keep', '100'];
    await ok(...common('whole'), ...words);
    // Without any there yet: from the start, so that the same words may be used again and again.
    await ok(...common('parts'), ...words, '--snapshot');
    await ok(...common('again'), ...words, '--snapshot', at('parts_iter_20.safetensors'));
    const last = (prefix: string) => readCheckpoint(at(`${prefix}_iter_48.safetensors`));
    const [whole, again] = [await last('whole'), await last('again')];
    assert.deepEqual(again.weights, whole.weights);
    assert.deepEqual(again.state, whole.state);
    assert.equal(existsSync(at('again_iter_20.safetensors')), false);
    assert.match(await ok(...common('whole'), ...words, '--snapshot'), /^small:.*\ntrained: iteration 48/);
  });

  it("trains by Caffe's solver file, found beside its net, and writes Caffe's files", async () => {
    const records = lines(await ok('train', '--solver', solver, '--json'));
    const of = (type: string): Line[] => records.filter((each) => each.type === type);
    assert.match(String(of('remark')[0]!.text), /^iteration 0 {2}test {2}accuracy/);
    assert.deepEqual(
      [of('step'), of('evaluation'), of('checkpoint')].map((each) => each.map(({ iteration }) => iteration)),
      [
        [5, 10, 15, 20, 25],
        [10, 20, 25],
        [10, 20, 25],
      ],
    );
    assert.equal(of('evaluation').at(-1)!.metrics!.accuracy, 1);
    const state = await readSolverstate(at('run_iter_25.solverstate'));
    assert.deepEqual([state.iteration, state.currentStep], [25, 2]);
    assert.equal((await readCaffemodel(state.learnedNet)).name, 'small');
    const tested = await ok('test', '--model', at('net.prototxt'), '--weights', at('run_iter_25.caffemodel'));
    assert.match(tested, /^accuracy 1\.000/);
  });

  it('goes on from a snapshot to the same bits', async () => {
    await ok('train', '--solver', solver, '--snapshot', at('run_iter_10.solverstate'), '--output', at('second'));
    const files = ['run', 'second'].map((name) => readFileSync(at(`${name}_iter_25.caffemodel`)));
    assert.deepEqual(files[1], files[0]);
    const states = await Promise.all(
      ['run', 'second'].map((name) => readSolverstate(at(`${name}_iter_25.solverstate`))),
    );
    assert.deepEqual(states[1]!.history, states[0]!.history);
  });

  it('writes HDF5 where the solver file says so, and goes on from it', async () => {
    mkdirSync(at('hdf5'));
    // Threads for HDF5 are slow to start from the sources: few files.
    const write = (iterations: number): string =>
      writeSolver(at('hdf5'), at('db'), `max_iter: ${iterations} test_initialization: false snapshot_format: HDF5`);
    await ok('train', '--solver', write(5));
    const files = readdirSync(at('hdf5')).filter((name) => name.includes('_iter_'));
    assert.deepEqual(files, ['run_iter_5.caffemodel.h5', 'run_iter_5.progress.json', 'run_iter_5.solverstate.h5']);
    await ok('train', '--solver', write(10), '--snapshot', at('hdf5', 'run_iter_5.solverstate.h5'));
    const [hdf5, binary] = await Promise.all(
      ['hdf5/run_iter_10.caffemodel.h5', 'run_iter_10.caffemodel'].map((name) => readCaffemodel(at(name))),
    );
    for (const { name, blobs } of hdf5!.layers)
      assert.deepEqual(
        blobs.map(({ data }) => data),
        binary!.layers.find((layer) => layer.name === name)!.blobs.map(({ data }) => data),
      );
  });

  it('takes other data than the solver file names', async () => {
    const stdout = await ok('train', '--solver', solver, '--data', at('db'), '--output', at('other'));
    assert.match(stdout, /iteration 25 {2}test {2}accuracy 1\.000 {2}loss \S+ {2}\(12 images/);
  });

  it('starts from weights, and finetunes them for other classes', async () => {
    const weights = at('run_iter_25.caffemodel');
    const [, step] = lines(
      await ok(
        ...common('warm'),
        '--weights',
        weights,
        '--mean',
        '100,110,120',
        '--scale',
        '0.01',
        '--iterations',
        '1',
        '--json',
      ),
    );
    assert.ok(step!.loss! < 0.5, `${step!.loss}`);
    await colourFolder(at('more'), 4, ['yellow', 'black', 'white', 'cyan']);
    const words = [
      '--mean',
      '100,110,120',
      '--scale',
      '0.01',
      '--iterations',
      '60',
      '--optimizer',
      'sgd',
      '--lr',
      '0.02',
    ];
    const data = ['--data', at('more'), '--test-data', at('more'), '--output', at('tuned')];
    const stdout = await ok('finetune', '--net', net, '--weights', weights, ...data, ...words);
    assert.match(stdout, /iteration 60 {2}test {2}accuracy 1\.000/);
    const { weights: tuned } = await readCheckpoint(at('tuned_iter_60.safetensors'));
    assert.deepEqual(Object.keys(tuned), ['conv.weight', 'conv.bias', 'fc_new.weight', 'fc_new.bias']);
    assert.deepEqual(tuned['fc_new.bias']!.shape, [4]);
  });

  it('takes a snapshot when it is interrupted, says how to go on, and does', async function () {
    if (process.platform === 'win32') this.skip();
    this.timeout(300_000);
    const words = [...common('cut'), '--iterations', '150', '--batch', '4', '--display', '1'];
    const { code, stdout, stderr } = await interrupted(words);
    assert.equal(code, 1, stderr);
    assert.match(stdout, /interrupted: iteration \d+ after/);
    const path = /^to go on: the same command with --snapshot (.*)$/m.exec(stderr)?.[1];
    assert.ok(path && existsSync(path), stderr);
    await ok(...words, '--snapshot', path);
    await ok(...common('uncut'), '--iterations', '150', '--batch', '4');
    const ends = await Promise.all(['cut', 'uncut'].map((name) => readCheckpoint(at(`${name}_iter_150.safetensors`))));
    assert.deepEqual(ends[0]!.weights, ends[1]!.weights);
  });

  it('refuses what cannot be, in one line, before the first iteration', async () => {
    writeFileSync(at('nameless.prototxt'), 'base_lr: 0.1 lr_policy: "fixed" max_iter: 5');
    const negative = writeSolver(at('hdf5'), at('db')).replace('solver', 'negative');
    writeFileSync(negative, readFileSync(solver, 'utf8').replace('base_lr: 0.05', 'base_lr: -0.05'));
    const absent = at('hdf5', 'absent.prototxt');
    writeFileSync(absent, readFileSync(solver, 'utf8').replace('"net.prototxt"', '"absent_net.prototxt"'));
    const other = writeNet(at('other.prototxt'), 5);
    mkdirSync(at('empty'), { recursive: true });
    const cases: [readonly string[], 1 | 2, RegExp][] = [
      [['train'], 2, /--solver FILE or --net NAME/],
      [['train', '--net', 'alexnet'], 2, /--data/],
      [['train', '--net', 'alexnot', '--data', at('photos')], 2, /alexnot/],
      [['train', '--net', net, '--data', at('nowhere')], 1, /nowhere/],
      [['train', '--net', net, '--data', at('empty')], 1, /empty/],
      [
        ['train', '--net', other, '--data', at('photos')],
        2,
        /expected the 5 classes of small, got 3 \(blue, green, red\)/,
      ],
      [['train', '--net', net, '--data', at('photos'), '--lr', '-1'], 2, /--lr.*at least 0/],
      [['train', '--net', net, '--data', at('photos'), '--patience', '2'], 2, /patience: expected pictures/],
      [[...common('x'), '--snapshot', at('run_iter_10.solverstate')], 1, /run_iter_10/],
      [[...common('x'), '--snapshot', at('tuned_iter_60.safetensors')], 1, /another net/],
      [[...common('x'), '--weights', at('curves.svg')], 1, /curves\.svg/],
      [['train', '--net', net, '--data', at('photos'), '--output', '/proc/x'], 1, /\/proc\/x/],
      [[...common('x'), '--log', at('nowhere', 'log')], 2, /--log/],
      [['train', '--solver', at('nowhere.prototxt')], 1, /nowhere/],
      [['train', '--solver', at('nameless.prototxt')], 1, /nameless.*expected one of net, train_net/],
      [['train', '--solver', negative], 1, /base.*-0\.05/],
      [['train', '--solver', absent], 1, /absent\.prototxt:1:1: net: no file or folder "absent_net\.prototxt"/],
      [['train', '--solver', solver, '--lr', '1'], 2, /--lr: not with --solver/],
      [['train', '--solver', solver, '--snapshot', at('nowhere.solverstate')], 1, /nowhere\.solverstate/],
      [['train', '--solver', solver, '--output', at('nowhere', 'x')], 1, /checkpoints cannot be written/],
      [['finetune', '--net', 'alexnet', '--data', at('photos')], 2, /weights: expected a file to start from/],
      [['test', '--data', at('photos')], 2, /--model/],
      [['test', '--model', 'alexnet', '--data', at('photos')], 2, /--weights/],
    ];
    for (const [words, code, message] of cases) {
      const result = await inProcess(words);
      assert.equal(result.code, code, `${words.join(' ')}: ${result.stderr}`);
      assert.match(result.stderr, message);
      assert.equal(
        result.stderr.trim().split('\n').length,
        1 + Number(result.stderr.includes('--help tells')),
        result.stderr,
      );
      assert.doesNotMatch(result.stdout, /iteration 1/);
    }
  });
});

/** Runs the command line and interrupts it when it has shown some iterations. */
function interrupted(words: readonly string[]): Promise<CliResult> {
  const child = spawn(process.execPath, [...commandLine(), ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  const written = { stdout: '', stderr: '' };
  child.stdout.on('data', (text: Buffer) => {
    const before = written.stdout.includes('iteration 5 ');
    written.stdout += text.toString();
    if (!before && written.stdout.includes('iteration 5 ')) child.kill('SIGINT');
  });
  child.stderr.on('data', (text: Buffer) => (written.stderr += text.toString()));
  return new Promise((done) => child.on('close', (code) => done({ code, ...written })));
}
