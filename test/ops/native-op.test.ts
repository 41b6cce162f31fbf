/** Ops whose kernels come from another addon: the example, built as docs/custom-ops.md says, and one that only fails. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import fc from 'fast-check';
import { defineOp, eager, layer, type NativeKernel } from '../../lib/custom.js';
import { compile, graph, input, relu } from '../../lib/index.js';
import { assertAgrees, doublesOf, forAll, random, seeds, shapes } from '../support/ops.js';
import { sanitized } from '../support/sanitizer.js';
import { Application, snippets } from '../support/snippets.js';

const root = resolve(import.meta.dirname, '..', '..');
const headers = dirname(createRequire(import.meta.url).resolve('node-api-headers/package.json'));

describe('an op in C++ from another addon', function () {
  this.timeout(120_000);
  let application: Application;
  let kernels: Record<'mish' | 'mishGrad', NativeKernel>;
  let faults: Record<string, NativeKernel>;

  before(function () {
    if (sanitized || spawnSync('g++', ['--version']).error) {
      console.log('    (no g++ here, or a sanitizer: ops in C++ are skipped)');
      return this.skip();
    }
    application = new Application();
    symlinkSync(headers, join(application.folder, 'node_modules', 'node-api-headers'), 'junction');
    for (const file of ['mish.cc', 'mish.mjs'])
      application.write(file, readFileSync(join(root, 'examples', 'native-op', file)));
    application.write('faults.cc', readFileSync(join(import.meta.dirname, 'native_op_faults.cc')));
    const [snippet] = snippets('docs/custom-ops.md').filter(({ language }) => language === 'sh');
    const { code, stdout, stderr } = application.run(snippet!.code, 'sh');
    assert.equal(code, 0, stderr);
    assert.equal(stdout, 'true\n');
    const again = snippet!.code
      .replaceAll('mish.cc -o mish.node', 'faults.cc -o faults.node')
      .replace('node mish', '#');
    assert.equal(application.run(again, 'sh').code, 0);
    const require = createRequire(join(application.folder, 'index.js'));
    kernels = require('./mish.node') as typeof kernels;
    faults = require('./faults.node') as typeof faults;
  });
  after(() => application?.remove());

  /** Mish by these kernels. */
  const opOf = (mish: NativeKernel, mishGrad = kernels.mishGrad) =>
    defineOp({
      name: 'mish',
      attributes: ({ beta = 1 }: { beta?: number }) => ({ beta }),
      outputs: ([x]) => [{ shape: x! }],
      forward: (e) => e.native(mish, e.inputs, e.outputs),
      backward(e) {
        const dx = e.temp(e.inputs[0]!.shape);
        e.native(mishGrad, [e.inputs[0], e.dy], [dx]);
        return [dx];
      },
    });

  it('computes its formula and its slope, with its attributes', () =>
    forAll(fc.tuple(shapes(0, 3), seeds), async ([shape, seed]) => {
      const options = { beta: 0.5, device: 'cpu' };
      await assertAgrees(eager(opOf(kernels.mish)), [random(shape, seed)], options, ([x]) => [
        doublesOf(shape, (i) => x!.data[i]! * Math.tanh(Math.log1p(Math.exp(0.5 * x!.data[i]!)))),
      ]);
    }));

  it('gives the same bits at any batch and number of threads', async () => {
    const net = graph({ x: input([50_000]) }, ({ x }) => ({ y: layer(opOf(kernels.mish), [relu(x)], {})[0]! }));
    const { data } = random([1, 50_000], 1);
    const results = await Promise.all(
      [1, 2, 3].map(async (threads) => {
        using model = await compile(net, { threads, device: 'cpu' });
        return (await model.forward({ x: data })).y.data;
      }),
    );
    for (const result of results) assert.deepEqual(result, results[0]);
  });

  const run = async (kernel: NativeKernel): Promise<unknown> => {
    const net = graph({ x: input([3]) }, ({ x }) => ({ y: layer(opOf(kernel), [x], { name: 'mine' })[0]! }));
    using model = await compile(net, { device: 'cpu' });
    return await model.forward({ x: [1, 2, 3] });
  };

  it('fails its run with what it says, by the name of its layer, and the next may run', async () => {
    const said: Record<string, RegExp> = {
      saysWhy: /^mine: not today$/,
      isSilent: /^mine: the kernel failed and did not say why$/,
      throws: /^mine: thrown today$/,
      throwsANumber: /^mine: threw something/,
      fillsTheMessage: /^mine: x{255}$/,
    };
    for (const [name, message] of Object.entries(said))
      await assert.rejects(run(faults[name]!), { name: 'UsageError', message }, name);
    await run(kernels.mish);
  });

  it('is refused where it is no kernel, or of another version', async () => {
    const cases: [unknown, RegExp][] = [
      [faults.isOfTomorrow, /^mine: expected a kernel built for version 1 of cortado\/op\.h, got version 2/],
      [faults.hasNoFunction, /^mine: expected a kernel that runs, got none/],
      [faults.isAnother, /^mine: expected a kernel that cortado_export made/],
      [{}, /^mine: expected a kernel that cortado_export made/],
      [undefined, /^mine: expected a kernel that an addon exports, got undefined/],
      ['mish', /^mine: expected a kernel that an addon exports, got mish/],
    ];
    for (const [kernel, message] of cases)
      await assert.rejects(run(kernel as NativeKernel), { name: 'UsageError', message });
  });
});
