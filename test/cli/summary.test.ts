import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Summary } from '../../lib/index.js';
import { fixture } from '../onnx/support.js';
import { cli } from '../support/cli.js';
import { inProcess } from '../support/in-process.js';

describe('cortado summary', () => {
  it('prints a table of a ready-made model', () => {
    const { code, stdout, stderr } = cli(['summary', '--model', 'lenet']);
    assert.equal(stderr, '');
    assert.equal(code, 0);
    assert.match(stdout, /^LeNet\n/);
    assert.match(stdout, /^conv1 +conv2d +\(1, 20, 24, 24\) +520 /m);
    assert.match(stdout, /^total \(batch 1\) +431,080 /m);
  });

  it('counts the same as JSON, at any batch', async () => {
    const { stdout } = await inProcess(['summary', '--model', 'alexnet', '--batch', '2', '--json']);
    const summary = JSON.parse(stdout) as Summary;
    assert.equal(summary.parameters, 60_965_224);
    assert.equal(summary.batch, 2);
    assert.deepEqual(summary.layers[0]!.output, [2, 96, 55, 55]);
    assert.equal(summary.layers[0]!.flops, 2 * 2 * 96 * 55 * 55 * 3 * 11 * 11);
  });

  it('counts what an ONNX file computes', async () => {
    const { code, stdout } = await inProcess(['summary', '--model', fixture('alexnet-dynamo.onnx'), '--batch', '3']);
    assert.equal(code, 0);
    assert.match(stdout, /^features\.0 +conv2d +\(3, 2, 55, 55\) +728 /m);
  });

  it('knows every ready-made model, and says which there are', async () => {
    const help = await inProcess(['summary', '--help']);
    assert.equal(help.code, 0);
    const names = /one of ([a-z0-9, \n-]+)/.exec(help.stdout.replaceAll(/\s+/g, ' '))?.[1]?.trim().split(', ') ?? [];
    assert.equal(names.length, 8);
    for (const name of names.map((word) => word.split(' ')[0]!)) {
      assert.equal((await inProcess(['summary', '--model', name])).code, 0, name);
    }
    const { code, stderr } = await inProcess(['summary', '--model', 'resnet']);
    assert.equal(code, 2);
    assert.match(stderr, /^cortado: model: expected a prototxt or ONNX file, or one of alexnet, [^\n]*"resnet"\n$/);
  });
});

describe('cortado draw', () => {
  it('writes Graphviz text', async () => {
    const { code, stdout } = await inProcess(['draw', '--model', 'cifar10-quick']);
    assert.equal(code, 0);
    assert.match(stdout, /^digraph .*\{\n[^]*"layer conv1"[^]*\}\n$/);
  });

  it('writes SVG to a file, or into JSON', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cortado-'));
    try {
      const file = join(folder, 'net.svg');
      const { code, stdout } = await inProcess(['draw', '--model', 'lenet', '--output', file]);
      assert.deepEqual([code, stdout], [0, '']);
      assert.match(readFileSync(file, 'utf8'), /<svg [^]*conv2[^]*<\/svg>/);
      const json = await inProcess(['draw', '--model', 'lenet', '--format', 'svg', '--json']);
      assert.match((JSON.parse(json.stdout) as { text: string }).text, /<svg /);
      const nowhere = await inProcess(['draw', '--model', 'lenet', '--output', join(folder, 'no', 'net.svg')]);
      assert.equal(nowhere.code, 1);
      assert.match(nowhere.stderr, /no such file or directory/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('refuses formats it does not know', async () => {
    assert.equal((await inProcess(['draw', '--model', 'lenet', '--format', 'bmp'])).code, 2);
  });
});
