/** Caffe's solver files through the command line: the same losses, weights and histories as Caffe's own. */
import assert from 'node:assert/strict';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readCaffemodel, readSolverstate } from '../../lib/caffe/index.js';
import { scratch } from '../data/sources/support.js';
import { array } from '../support/cases.js';
import { assertClose } from '../support/compare.js';
import { fixtures } from '../support/fixtures.js';
import { inProcess } from '../support/in-process.js';

interface Case {
  readonly name: string;
  readonly lr_before_iteration: readonly number[];
  readonly last_forward_loss: readonly number[];
}

const folder = fixtures('solver');

describe('cortado train --solver', function () {
  if (!folder) return;
  this.timeout(120_000);
  const { path: place } = scratch();
  const { cases } = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as { cases: readonly Case[] };

  /** Runs a case beside its data. @returns the steps */
  async function train(name: string, from: readonly string[]): Promise<{ loss: number; rate: number }[]> {
    const at = join(place, name);
    for (const file of ['train.h5', 'train_list.txt']) cpSync(join(folder!, file), join(at, file));
    cpSync(join(folder!, name), at, { recursive: true });
    const { code, stdout, stderr } = await inProcess([
      ...['train', '--solver', join(at, 'solver.prototxt'), '--json', '--display', '1', '--workers', '1'],
      ...from.map((word) => word.replace('HERE', at)),
      ...['--output', join(at, 'ours')],
    ]);
    assert.equal(code, 0, stderr);
    const records = stdout.trim().split('\n');
    return records
      .map((line) => JSON.parse(line) as { type: string; loss: number; rate: number })
      .filter(({ type }) => type === 'step');
  }

  async function compare(name: string): Promise<void> {
    const paths = ['ours', 'snap'].map((prefix) => join(place, name, `${prefix}_iter_10`));
    const [ours, theirs] = await Promise.all(paths.map((path) => readSolverstate(`${path}.solverstate`)));
    assert.deepEqual([ours!.iteration, ours!.currentStep], [theirs!.iteration, theirs!.currentStep]);
    theirs!.history.forEach((blob, i) => assertClose(ours!.history[i]!.data, blob.data, `history ${i}`));
    const models = await Promise.all(paths.map((path) => readCaffemodel(`${path}.caffemodel`)));
    const [own, other] = models.map(({ layers }) => layers.filter(({ blobs }) => blobs.length > 0));
    assert.deepEqual(
      own!.map(({ name: layer }) => layer),
      other!.map(({ name: layer }) => layer),
    );
    for (const [i, { name: layer, blobs }] of other!.entries())
      blobs.forEach(({ data }, at) => assertClose(own![i]!.blobs[at]!.data, data, `${layer} ${at}`));
  }

  for (const name of ['sgd_multistep', 'adam']) {
    it(`${name}: as Caffe does from its first weights`, async () => {
      const steps = await train(name, ['--weights', 'HERE/init.caffemodel']);
      const want = cases.find((each) => each.name === name)!;
      assertClose(
        steps.map(({ loss }) => loss),
        want.last_forward_loss,
        'losses',
      );
      assertClose(
        steps.map(({ rate }) => rate),
        want.lr_before_iteration,
        'rates',
        1e-6,
      );
      await compare(name);
      const values = array(join(folder, name, 'ip1_param0.npy'));
      const last = values.data.subarray((values.data.length / values.shape[0]!) * 10);
      const { layers } = await readCaffemodel(join(place, name, 'ours_iter_10.caffemodel'));
      assertClose(layers.find((layer) => layer.name === 'ip1')!.blobs[0]!.data, last, 'ip1');
    });
  }

  it('nesterov_itersize: on from a snapshot of Caffe', async () => {
    const steps = await train('nesterov_itersize', ['--snapshot', 'HERE/snap_iter_8.solverstate']);
    assert.equal(steps.length, 2);
    await compare('nesterov_itersize');
  });
});
