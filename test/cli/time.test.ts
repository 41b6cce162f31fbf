import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PassTime, Timing } from '../../lib/cli/timing.js';
import { cli } from '../support/cli.js';
import { inProcess } from '../support/in-process.js';

function checkPass(pass: PassTime | undefined, what: string): void {
  assert.ok(pass, what);
  assert.ok(pass.milliseconds > 0 && Number.isFinite(pass.milliseconds), what);
  assert.ok(pass.gbps > 0 && pass.share > 0, what);
}

/** LeNet on one thread. */
function timeLeNet(): Timing {
  const words = 'time --model lenet --batch 8 --iterations 3 --backward --threads 1 --json';
  const { code, stdout, stderr } = cli(words.split(' '));
  assert.equal(code, 0, stderr);
  assert.equal(stderr, '');
  return JSON.parse(stdout) as Timing;
}

describe('cortado time', () => {
  it('times forward and backward of every layer, and compares with the peak', () => {
    let timing = timeLeNet();
    // The peak and the net are measured one after the other: other programs may have had the core for one of them.
    for (let more = 3; more > 0 && timing.forward.share >= 1.2; more--) timing = timeLeNet();
    assert.deepEqual([timing.name, timing.batch, timing.threads, timing.iterations], ['LeNet', 8, 1, 3]);
    assert.ok(timing.peak.gflops > 0 && timing.peak.gbps > 0);
    const layer = new Map(timing.layers.map((each) => [each.name, each]));
    for (const name of ['conv1', 'pool1', 'conv2', 'pool2', 'ip1', 'ip2', 'loss']) {
      checkPass(layer.get(name)?.forward, `${name} forward`);
      checkPass(layer.get(name)?.backward, `${name} backward`);
    }
    // The gradient of conv2 is two products of the forward size, that of conv1 only one: nobody wants the pictures' own.
    const flops = (pass: PassTime): number => pass.gflops * pass.milliseconds;
    const ratio = (name: string): number => flops(layer.get(name)!.backward!) / flops(layer.get(name)!.forward!);
    assert.ok(
      Math.abs(ratio('conv2') - 2) < 1e-6 && Math.abs(ratio('conv1') - 1) < 1e-6,
      `${ratio('conv2')} ${ratio('conv1')}`,
    );
    const sum = timing.layers.reduce((total, each) => total + (each.forward?.milliseconds ?? 0), 0);
    assert.ok(Math.abs(sum / timing.forward.milliseconds - 1) < 0.5);
    checkPass(timing.backward, 'backward');
    assert.ok(timing.forward.share < 1.2, `${timing.forward.share} of peak`);
  });

  it('times inference of a net from a file, and prints a table', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cortado-'));
    try {
      const file = join(folder, 'net.prototxt');
      writeFileSync(
        file,
        `name: "file"
        layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 16 dim: 16 } } }
        layer { name: "conv.a" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 8 kernel_size: 3 } }
        layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
        layer { name: "prob" type: "Softmax" bottom: "conv" top: "prob" }`,
      );
      const { code, stdout } = await inProcess(['time', '--model', file, '--iterations', '2']);
      assert.equal(code, 0);
      const lines = stdout.trimEnd().split('\n');
      assert.match(
        lines[0]!,
        /^file, batch 2, \d+ threads?, \w+; measured peak \d+ GFLOP\/s, [\d.]+ GB\/s; median of 2$/,
      );
      assert.match(lines[1]!, /^layer +op +forward ms +GFLOP\/s +GB\/s +of peak$/);
      assert.match(stdout, /^conv\.a +conv2d +\d/m);
      assert.match(stdout, /^total +\d/m);
      assert.match(lines.at(-1)!, /^[\d.]+ images\/s$/);
      const backward = await inProcess(['time', '--model', file, '--iterations', '1', '--backward']);
      assert.equal(backward.code, 1);
      assert.match(backward.stderr, /expected a net with a loss/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('refuses counts that are none', async () => {
    for (const option of ['--batch', '--iterations', '--threads']) {
      assert.equal((await inProcess(['time', '--model', 'lenet', option, '0'])).code, 2);
    }
    assert.equal((await inProcess(['time', '--model', 'lenet', '--device', 'abacus'])).code, 2);
  });
});
