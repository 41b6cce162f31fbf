import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { benchCaffe, endOfRun, fedNet } from '../../bench/caffe.js';
import { SOLVER, WORKLOADS } from '../../bench/nets.js';
import { exportSolver, formatNet, importSolver, readNet, readNetText, readSolver } from '../../lib/caffe/index.js';

describe('the original Caffe as a peer', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cortado-caffe-test-'));
  const caffe = join(folder, 'caffe');
  /** A program that knows its version, and runs `script` for every other command. */
  const answering = (script: string): void => {
    writeFileSync(caffe, `#!/bin/sh\n[ "$1" = --version ] && exec echo caffe version 1.0.0\n${script}\n`);
    chmodSync(caffe, 0o755);
  };
  before(function () {
    if (process.platform === 'win32') this.skip();
  });
  after(() => rmSync(folder, { recursive: true }));

  it('knows the lines of its log that end a run, and their time', () => {
    const log = `
I1126 09:48:57.000000 77 solver.cpp:239] Iteration 0 (0 iter/s, 2.7s/1 iters), loss = 6.9
I1126 09:48:57.000100 77 solver.cpp:258]     Train net output #0: loss = 6.9 (* 1 = 6.9 loss)
I1126 09:48:57.000200 77 sgd_solver.cpp:112] Iteration 0, lr = 0.0001
I20261126 09:48:59.250125 77 solver.cpp:239] Iteration 1 (0.4 iter/s, 2.25s/1 iters), loss = 6.8
I0101 00:00:01.500000 77 solver.cpp:228] Iteration 2, loss = 6.7
I20261126 09:47:34.486100 77 caffe.cpp:304] Batch 2, loss = 6.9
I20261126 09:47:38.555909 77 caffe.cpp:318] Loss: 6.9
I20261126 09:47:38.555986 77 caffe.cpp:321] loss = 6.9 (* 1 = 6.9 loss)`;
    const ends = log.split('\n').map(endOfRun);
    assert.deepEqual(
      ends.filter((at) => at !== undefined),
      [35337000, 35339250.125, 1500, 35254486.1],
    );
  });

  it('gets nets and a solver that our own importer reads as ours', async () => {
    answering(`for file; do case $file in --*=*) cp "\${file#*=}" "${folder}" ;; esac; done`);
    await benchCaffe(caffe, 'cifar10-quick/train', 0, 1);
    const { solver } = importSolver(await readSolver(join(folder, 'solver.prototxt')));
    assert.deepEqual(exportSolver({ solver }), exportSolver({ solver: SOLVER }));
    await benchCaffe(caffe, 'bvlc/infer/b1$', 0, 1);
    await readNet(join(folder, 'net.prototxt'), { weights: join(folder, 'none.caffemodel') });
    for (const { net, batch } of WORKLOADS) {
      const model = net();
      const { graph } = await readNetText(formatNet(fedNet(model, batch)));
      assert.equal(graph.batch, batch);
      assert.deepEqual(graph.inputs.data!.shape.slice(1), model.inputs.data.shape.slice(1));
      assert.deepEqual(Object.keys(graph.outputs), ['loss']);
      assert.deepEqual(
        graph.parameters.map(({ name, shape }) => [name, shape]),
        model.parameters.map(({ name, shape }) => [name, shape]),
      );
    }
  });

  it('is timed from run to run, over midnight too, and ended', async () => {
    answering(`
at=86370000
while :; do
  s=$((at / 1000 % 86400))
  printf 'I20261126 %02d:%02d:%02d.%03d000 77 caffe.cpp:304] Batch 0, loss = 6.9\\n' \\
    $((s / 3600)) $((s / 60 % 60)) $((s % 60)) $((at % 1000)) >&2
  at=$((at + 3250))
done`);
    const { rows, skipped } = await benchCaffe(caffe, 'caffe-1.0.0-cpu.*/bvlc/infer/b64', 65, 1);
    assert.deepEqual(skipped, []);
    const row = { who: rows[0]!.who, work: 'bvlc/infer', batch: 64, ms: 3250, imagesPerSecond: 64 / 3.25, repeats: 20 };
    assert.deepEqual(rows, [row]);
    assert.match(row.who, /^caffe-1\.0\.0-cpu/);
  });

  it('is left out with a line where it is not there, or fails', async () => {
    assert.deepEqual((await benchCaffe(undefined, '.', 0, 1)).skipped, [
      'no Caffe: CORTADO_CAFFE does not name its program',
    ]);
    const [missing] = (await benchCaffe(join(folder, 'none'), '.', 0, 1)).skipped;
    assert.match(missing!, /none \(CORTADO_CAFFE\): .*ENOENT/);
    answering('echo "F1126 09:48:57.000000 77 net.cpp:1] Check failed: no such layer\n*** stack ***" >&2; exit 134');
    const { rows, skipped } = await benchCaffe(caffe, 'bvlc/train', 0, 1);
    assert.deepEqual(rows, []);
    assert.match(skipped.join('\n'), /^caffe-1\.0\.0\S* bvlc\/train, batch 64: .*0 timed runs: F.* no such layer$/);
  });
});
