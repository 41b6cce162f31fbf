import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { realData } from '../support/cases.js';
import { compiled } from '../support/scripts.js';
import { colourFolder } from '../support/training.js';

const root = resolve(import.meta.dirname, '..', '..');

function node(...words: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { cwd: root, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.equal(stderr, '');
  return stdout;
}

describe('the examples', function () {
  this.timeout(120_000);

  // They import the package by its name.
  before(compiled);

  it('embed it from an ES module', () => {
    const output = node('examples/embed.mjs');
    assert.match(
      output,
      /^prob \[ 2, 10 \] sum 2\.0000\nloss \d\.\d{4} gradient of conv1\.weight \[ 16, 3, 5, 5 \]\n$/,
    );
  });

  it('embed it from CommonJS', () => {
    assert.match(node('examples/embed.cjs'), /^prob \[ 4, 10 \] memory \d+ bytes\n$/);
  });

  it('embed it from worker threads', () => {
    assert.match(node('examples/worker.mjs'), /^picture of 0\.25: class \d\npicture of 0\.75: class \d\n$/);
  });

  it('teach AlexNet what is on pictures', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cortado-example-'));
    try {
      await colourFolder(folder, 1);
      const output = node('examples/train.mjs', folder, '10', '2');
      assert.match(output, /^10 \d+\.\d{3} \d+ images\/s\n\d+\.\d% of 3 pictures right\n$/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('name what is on a picture', function () {
    const folder = realData('squeezenet');
    if (folder === undefined) return this.skip();
    const files = [
      'deploy.prototxt',
      'squeezenet_v1.0.caffemodel.gz',
      'synset_words.txt',
      'images/n01770393_scorpion.JPEG',
    ];
    const output = node('examples/classify.mjs', ...files.map((file) => join(folder, file)));
    assert.match(output, /^\d+\.\d{4} n01770393 scorpion\n/);
    assert.equal(output.trimEnd().split('\n').length, 5);
  });
});
