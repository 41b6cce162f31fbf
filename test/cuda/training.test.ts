/** The command line on a GPU. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { typescript } from '../support/cli.js';
import { sanitized } from '../support/sanitizer.js';
import { needsSimulation } from '../support/simulation.js';
import { colourFolder, writeNet } from '../support/training.js';

const program = resolve(import.meta.dirname, '..', '..', 'lib', 'cli', 'main.ts');

describe('cortado train', function () {
  this.timeout(120_000);
  if (sanitized) return; // it starts a program that decodes pictures
  const folder = mkdtempSync(join(tmpdir(), 'cortado-training-'));
  after(() => rmSync(folder, { recursive: true }));

  before(needsSimulation);

  it('tells the device that it trains on', async () => {
    await colourFolder(join(folder, 'photos'));
    const files = ['--net', writeNet(join(folder, 'net.prototxt')), '--data', join(folder, 'photos')];
    const words = ['train', ...files, '--output', join(folder, 'out'), '--iterations', '1', '--batch', '2', '--json'];
    const run = spawnSync(process.execPath, [...typescript, program, ...words, '--device', 'cuda-sim'], {
      encoding: 'utf8',
    });
    assert.equal(run.status, 0, run.stderr);
    const first = JSON.parse(run.stdout.split('\n')[0]!) as { type: string; device: string };
    assert.deepEqual([first.type, first.device], ['begin', 'cuda-sim']);
  });
});
