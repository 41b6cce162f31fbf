/** The weights that come with Cortado. */
import assert from 'node:assert/strict';
import { readFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { compile, trained, type TrainedName } from '../../lib/index.js';
import { readNpy } from '../../lib/npy.js';
import { cli } from '../support/cli.js';
import { fixtures } from '../support/fixtures.js';

interface Manifest {
  readonly dbs: readonly { readonly name: string; readonly records: readonly { readonly label: number }[] }[];
}

const PLANE = 32 * 32;

describe('trained weights', () => {
  const names: TrainedName[] = ['cifar10-full', 'cifar10-quick'];

  for (const name of names) {
    it(`${name} are those of its net`, async () => {
      const { graph, weights, mean, classes } = await trained(name);
      const shapes = Object.fromEntries(Object.entries(weights).map(([key, { shape }]) => [key, shape]));
      assert.deepEqual(shapes, Object.fromEntries(graph.parameters.map((value) => [value.name, value.shape])));
      assert.deepEqual(mean.shape, [3, 32, 32]);
      assert.equal(classes.length, graph.outputs.prob!.shape[1]);
    });

    it(`${name} recognise most of twenty real pictures`, async function () {
      const data = fixtures('data');
      if (data === undefined) this.skip();
      const manifest = JSON.parse(readFileSync(join(data, 'manifest.json'), 'utf8')) as Manifest;
      const truth = manifest.dbs.find((db) => db.name === 'lmdb_cifar')!.records.map(({ label }) => label);
      const rgb = (await readNpy(join(data, 'lmdb_cifar_pixels.npy'))).data;
      const { graph, weights, mean } = await trained(name);
      await using model = await compile(graph, { batch: truth.length });
      await model.load(weights);
      const pixels = Float32Array.from(rgb, (_, i) => {
        const at = i % (3 * PLANE);
        const blueFirst = i - at + (2 - Math.floor(at / PLANE)) * PLANE + (at % PLANE);
        return rgb[blueFirst]! - mean.data[at]!;
      });
      const prob = (await model.forward({ data: pixels })).prob!.data;
      const answers = truth.map((_, i) => prob.subarray(10 * i, 10 * i + 10)).map((p) => p.indexOf(Math.max(...p)));
      const right = answers.filter((answer, i) => answer === truth[i]).length;
      assert.ok(right >= 14, `${right} of ${truth.length}`);
    });
  }

  it('are what classify takes when it is given no others', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cortado-trained-'));
    try {
      const path = join(folder, 'plain.png');
      await sharp({ create: { width: 40, height: 30, channels: 3, background: '#4488cc' } }).toFile(path);
      const { code, stdout, stderr } = cli(['classify', path, '--model', 'cifar10-full', '--top', '10', '--json']);
      assert.equal(code, 0, stderr);
      const [answer] = JSON.parse(stdout) as { predictions: { label: string; score: number }[] }[];
      const { classes } = await trained('cifar10-full');
      assert.deepEqual(answer!.predictions.map(({ label }) => label).sort(), [...classes].sort());
      assert.ok(Math.abs(answer!.predictions.reduce((sum, { score }) => sum + score, 0) - 1) < 1e-4);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
