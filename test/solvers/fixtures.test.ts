/** Ten updates of each of Caffe's solvers: weights, gradients, history and files, after every one. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import {
  importSolver,
  readCaffemodel,
  readNet,
  readSolver,
  readSolverstate,
  resume,
  snapshot,
  type LoadedNet,
} from '../../lib/caffe/index.js';
import { compile, type Model, type Tensor } from '../../lib/index.js';
import { array, type ArrayEntry } from '../support/cases.js';
import { assertClose } from '../support/compare.js';
import { fixtures } from '../support/fixtures.js';

interface ParameterEntry {
  readonly layer: string;
  readonly param: number;
  readonly values: ArrayEntry;
  readonly raw_gradients: ArrayEntry;
}

interface SnapshotEntry {
  readonly iter_after: number;
  readonly current_step: number;
  readonly caffemodel: string;
  readonly solverstate: string;
  readonly history: readonly ArrayEntry[];
}

interface SolverCase {
  readonly name: string;
  readonly solver: Readonly<Record<string, unknown>>;
  readonly iterations: number;
  readonly lr_before_iteration: readonly number[];
  readonly last_forward_loss: readonly number[];
  readonly params: readonly ParameterEntry[];
  readonly snapshots: readonly SnapshotEntry[];
}

interface Manifest {
  readonly batch: number;
  readonly batches_per_epoch: number;
  readonly cases: readonly SolverCase[];
}

const folder = fixtures('solver');

/** Row `index` of an array. */
function row(tensor: Tensor, index: number): Float32Array {
  const size = tensor.data.length / tensor.shape[0]!;
  return tensor.data.subarray(index * size, (index + 1) * size);
}

/** A case at work: its net, its model, Caffe's numbers. */
class Run {
  readonly want: readonly { name: string; label: string; values: Tensor; gradients: Tensor }[];

  private constructor(
    readonly from: string,
    readonly test: SolverCase,
    readonly net: LoadedNet,
    readonly model: Model,
    readonly iterSize: number,
    readonly batch: (run: number) => Record<string, Tensor>,
  ) {
    this.want = test.params.map(({ layer, param, values, raw_gradients }) => ({
      name: net.layers.find((each) => each.name === layer)!.params[param]!.name,
      label: `${layer} ${param}`,
      values: array(join(from, values.file)),
      gradients: array(join(from, raw_gradients.file)),
    }));
  }

  static async of(from: string, { batch, batches_per_epoch }: Manifest, test: SolverCase): Promise<Run> {
    const [data, label] = [array(join(from, 'data.npy')), array(join(from, 'label.npy'))];
    const shapes = { data: data.shape.slice(1), label: [] };
    const weights = join(from, test.name, 'init.caffemodel');
    const net = await readNet(join(from, test.name, 'net.prototxt'), { phase: 'TRAIN', weights, shapes });
    const { solver, iterations } = importSolver(await readSolver(join(from, test.name, 'solver.prototxt')));
    assert.equal(iterations, test.iterations);
    const model = await compile(net.graph, { batch, solver });
    await model.load(net.weights);
    const cut = (tensor: Tensor, at: number): Tensor => {
      const size = tensor.data.length / batches_per_epoch;
      return { data: tensor.data.subarray(at * size, (at + 1) * size), shape: [batch, ...tensor.shape.slice(1)] };
    };
    const images = (run: number): Record<string, Tensor> => ({
      data: cut(data, run % batches_per_epoch),
      label: cut(label, run % batches_per_epoch),
    });
    return new Run(from, test, net, model, solver.iterSize, images);
  }

  /** One update, compared. */
  async iterate(iteration: number): Promise<void> {
    const { test, model, iterSize } = this;
    assert.equal(model.iteration, iteration);
    assertClose([model.rate], [test.lr_before_iteration[iteration]!], 'rate', 1e-6);
    const learned = this.want.filter(({ gradients }) => gradients.data.some((g) => g !== 0));
    const sums = learned.map(({ gradients }) => new Float32Array(row(gradients, 0).length));
    for (let run = 0; run < iterSize; run++) {
      const inputs = this.batch(iteration * iterSize + run);
      const { outputs, gradients, updated } = await model.step(inputs, { of: learned.map(({ name }) => name) });
      learned.forEach(({ name }, i) => gradients[name]!.data.forEach((g, at) => (sums[i]![at]! += g)));
      assert.equal(updated, run === iterSize - 1);
      if (updated) assertClose(outputs.loss!.data, [test.last_forward_loss[iteration]!], 'loss');
    }
    const after = await model.weights();
    for (const { name, label, values } of this.want)
      assertClose(after[name]!.data, row(values, iteration + 1), `${label} after ${iteration + 1}`);
    learned.forEach(({ label, gradients }, i) =>
      assertClose(sums[i]!, row(gradients, iteration), `gradient of ${label} in ${iteration}`),
    );
  }

  /** Writes a snapshot and compares it with Caffe's. */
  async compareSnapshot({ current_step, caffemodel, solverstate, history, iter_after }: SnapshotEntry): Promise<void> {
    const place = mkdtempSync(join(tmpdir(), 'cortado-snapshot-'));
    try {
      const state = await snapshot(this.model, this.net, join(place, 'snap'));
      assert.equal(basename(state), basename(solverstate));
      const [got, want] = [await readSolverstate(state), await readSolverstate(join(this.from, solverstate))];
      assert.deepEqual([got.iteration, got.currentStep], [iter_after, current_step]);
      assert.equal(basename(got.learnedNet), basename(want.learnedNet));
      assert.deepEqual(
        got.history.map(({ shape }) => shape),
        want.history.map(({ shape }) => shape),
      );
      history.forEach(({ file }, i) =>
        assertClose(got.history[i]!.data, array(join(this.from, file)).data, `history ${i} after ${iter_after}`),
      );
      const [ours, theirs] = [await readCaffemodel(got.learnedNet), await readCaffemodel(join(this.from, caffemodel))];
      const ofLayers = (layers: typeof ours.layers): unknown[] =>
        layers
          .filter(({ blobs }) => blobs.length > 0)
          .map(({ name, type, blobs }) => [name, type, blobs.map((b) => b.shape)]);
      assert.deepEqual(ofLayers(ours.layers), ofLayers(theirs.layers));
      for (const [i, { name, blobs }] of ours.layers.filter((layer) => layer.blobs.length > 0).entries()) {
        const layer = theirs.layers.filter((each) => each.blobs.length > 0)[i]!;
        blobs.forEach(({ data }, at) =>
          assertClose(data, layer.blobs[at]!.data, `${name} ${at} in ${basename(caffemodel)}`),
        );
      }
    } finally {
      rmSync(place, { recursive: true });
    }
  }
}

describe("Caffe's solvers", () => {
  if (!folder) return;
  const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Manifest;
  for (const test of manifest.cases) {
    it(`${test.name}: weights, gradients and snapshots after every update`, async () => {
      const run = await Run.of(folder, manifest, test);
      using model = run.model;
      for (let iteration = 0; iteration < test.iterations; iteration++) {
        await run.iterate(iteration);
        const saved = test.snapshots.find(({ iter_after }) => iter_after === model.iteration);
        if (saved) await run.compareSnapshot(saved);
      }
    });

    it(`${test.name}: goes on from Caffe's own snapshot`, async () => {
      const run = await Run.of(folder, manifest, test);
      using model = run.model;
      const { solverstate, iter_after } = test.snapshots.find((each) => each.iter_after === 8)!;
      await resume(model, run.net, join(folder, solverstate));
      for (let iteration = iter_after; iteration < test.iterations; iteration++) await run.iterate(iteration);
    });
  }
});
