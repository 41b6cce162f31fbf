/** Several environments in one process: worker threads that run, are ended in the middle of a run, or end the process. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { compile } from '../../lib/index.js';
import { noise, slow, SLOW_IMAGE, tiny } from '../support/nets.js';
import { compiled, script } from '../support/scripts.js';

const SIDE = SLOW_IMAGE[1];

/** A net whose run takes a good part of a second, run over and over. */
const BUSY = `
  const { compile, conv2d, graph, input, relu } = require('cortado');
  const { parentPort, workerData } = require('node:worker_threads');
  const net = graph({ data: input([32, ${SIDE}, ${SIDE}]) }, ({ data }) => {
    let x = data;
    for (let i = 0; i < 8; i++) x = relu(conv2d(x, { name: 'conv' + i, filters: 32, kernel: 3, pad: 1 }));
    return { out: x };
  });
  const go = async () => {
    const model = await compile(net, { batch: 8, seed: 5 });
    const data = Float32Array.from({ length: 8 * 32 * ${SIDE} * ${SIDE} }, (_, i) => Math.sin(i));
    for (let i = 0; i < (workerData?.runs ?? 1); i++) {
      const run = model.forward({ data });
      parentPort?.postMessage('running');
      const { out } = await run;
      parentPort?.postMessage(out.data.reduce((a, b) => a + b, 0));
    }
    model.dispose();
  };
  go();`;

function start(runs: number): { readonly worker: Worker; readonly sums: number[] } {
  const worker = new Worker(BUSY, { eval: true, workerData: { runs }, execArgv: [] });
  const sums: number[] = [];
  worker.on('message', (message) => typeof message === 'number' && sums.push(message));
  return { worker, sums };
}

describe('worker threads', function () {
  this.timeout(180_000);

  before(() => compiled());

  it('share the machine with each other and the main thread', async () => {
    await using model = await compile(slow(), { batch: 2 });
    const data = noise([2, ...SLOW_IMAGE]);
    const alone = (await model.forward({ data })).out.data;
    const started = [start(2), start(2), start(2)];
    const ended = started.map(({ worker }) => once(worker, 'exit'));
    for (let i = 0; i < 4; i++) assert.deepEqual((await model.forward({ data })).out.data, alone);
    for (const [code] of await Promise.all(ended)) assert.equal(code, 0);
    for (const { sums } of started) assert.deepEqual(sums, [started[0]!.sums[0], started[0]!.sums[0]]);
    assert.ok(Number.isFinite(started[0]!.sums[0]));
  });

  it('may be terminated in the middle of a run', async () => {
    await using model = await compile(tiny(), { batch: 2 });
    const data = noise([2, 3, 8, 8]);
    const expected = (await model.forward({ data })).prob.data;
    for (const delay of [0, 1, 5, 20]) {
      const { worker } = start(1000);
      await once(worker, 'message');
      await sleep(delay);
      const beside = model.forward({ data });
      await worker.terminate();
      assert.deepEqual((await beside).prob.data, expected);
    }
  });

  it('may be terminated before they have loaded anything', async () => {
    for (const delay of [0, 10, 50]) {
      const { worker } = start(1);
      await sleep(delay);
      await worker.terminate();
    }
  });

  it('may come and go many times', async () => {
    for (let i = 0; i < 5; i++) {
      const { worker, sums } = start(1);
      const [code] = (await once(worker, 'exit')) as [number];
      assert.deepEqual([code, sums.length], [0, 1]);
    }
  });
});

describe('the end of the process', function () {
  this.timeout(180_000);

  before(() => compiled());

  const ends = (code: string, expected: number): void => {
    const result = script(code, { type: 'commonjs' });
    assert.deepEqual([result.code, result.signal], [expected, null], result.stderr);
  };

  it('by process.exit() in the middle of a run is clean', () => {
    for (const delay of [0, 20]) ends(`${BUSY} setTimeout(() => process.exit(7), ${200 + delay});`, 7);
  });

  it('by process.exit() in the tick of the call is clean', () => {
    ends(BUSY.replace("parentPort?.postMessage('running');", 'process.exit(9);'), 9);
  });

  it('while workers run is clean', () => {
    ends(
      `const { Worker } = require('node:worker_threads');
       const code = ${JSON.stringify(BUSY)};
       for (let i = 0; i < 3; i++) new Worker(code, { eval: true, execArgv: [], workerData: { runs: 1000 } }).once('message', () => setTimeout(() => process.exit(5), 30));`,
      5,
    );
  });

  it('by an exception in the middle of a run is like any other', () => {
    ends(BUSY.replace("parentPort?.postMessage('running');", "throw new Error('mine');"), 1);
  });
});
