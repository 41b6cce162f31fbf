/** The package as an application meets it: imported, required, and in worker threads. */
import assert from 'node:assert/strict';
import { compiled, script } from '../support/scripts.js';

const NET = `
  const net = graph({ data: input([1, 6, 6]), label: input([]) }, ({ data, label }) => {
    const logits = dense(relu(conv2d(data, { name: 'conv', filters: 2, kernel: 3 })), { name: 'fc', units: 3 });
    return { prob: softmax(logits), loss: softmaxLoss(logits, label) };
  });
  const data = Float32Array.from({ length: 72 }, (_, i) => Math.sin(i));`;
const NAMES = 'compile, conv2d, dense, graph, input, relu, sgd, softmax, softmaxLoss';
const RUN = `${NET}
  const run = async () => {
    const model = await compile(net, { batch: 2, seed: 3, solver: sgd({ rate: 0.1 }) });
    const { prob } = await model.forward({ data });
    const { loss } = await model.step({ data, label: [0, 2] });
    model.dispose();
    return JSON.stringify([Array.from(prob.data, (v) => v.toFixed(5)), loss.toFixed(5)]);
  };`;

describe('embedding', function () {
  this.timeout(180_000);
  let expected = '';

  before(() => compiled());

  it('works from an ES module', () => {
    const { stdout, stderr, code } = script(`import { ${NAMES} } from 'cortado'; ${RUN} console.log(await run());`);
    assert.equal(code, 0, stderr);
    expected = stdout.trim();
    const [prob, loss] = JSON.parse(expected) as [string[], string];
    assert.equal(prob.length, 6);
    assert.ok(Math.abs(prob.slice(0, 3).reduce((a, b) => a + Number(b), 0) - 1) < 1e-4);
    assert.ok(Number(loss) > 0);
  });

  it('works from CommonJS', () => {
    const { stdout, stderr, code } = script(
      `const { ${NAMES} } = require('cortado'); ${RUN} run().then(console.log);`,
      { type: 'commonjs' },
    );
    assert.equal(code, 0, stderr);
    assert.equal(stdout.trim(), expected);
  });

  it('works in a worker thread', () => {
    const worker = `const { ${NAMES} } = require('cortado'); const { parentPort } = require('node:worker_threads'); ${RUN} run().then((r) => parentPort.postMessage(r));`;
    const { stdout, stderr, code } = script(
      `import { Worker } from 'node:worker_threads'; new Worker(${JSON.stringify(worker)}, { eval: true, execArgv: [] }).on('message', console.log);`,
    );
    assert.equal(code, 0, stderr);
    assert.equal(stdout.trim(), expected);
  });

  it('offers the kernels and the files of Caffe by their own names', () => {
    const { stdout, stderr, code } = script(`
      import { ops } from 'cortado/kernels';
      import * as caffe from 'cortado/caffe';
      const [y] = await ops.relu([{ data: Float32Array.of(-1, 2), shape: [2] }]);
      console.log(Array.from(y.data).join(), typeof caffe.readNet);`);
    assert.equal(code, 0, stderr);
    assert.equal(stdout.trim(), '0,2 function');
  });

  it('lets the process end while a model lives', () => {
    const { code, signal, stderr } = script(
      `import { ${NAMES} } from 'cortado'; ${NET} globalThis.model = await compile(net); await model.forward({ data: data.subarray(36) });`,
    );
    assert.deepEqual([code, signal], [0, null], stderr);
  });

  it('keeps the process until a run that nobody waits for has ended', () => {
    const { stdout, code } = script(
      `import { ${NAMES} } from 'cortado'; ${NET} const model = await compile(net, { batch: 2 }); model.forward({ data }).then(() => console.log('done'));`,
    );
    assert.deepEqual([code, stdout.trim()], [0, 'done']);
  });

  it('ends an unhandled rejection as any other error would', () => {
    const { stderr, code, signal } = script(
      `import { ${NAMES} } from 'cortado'; ${NET} const model = await compile(net); await model.forward({ data: [1] });`,
    );
    assert.deepEqual([code, signal], [1, null]);
    assert.match(stderr, /ShapeError: data: /);
  });
});
