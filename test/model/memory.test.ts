/** Memory: a thousand rounds leave nothing behind, the numbers told are true, and forgotten models are freed. */
import assert from 'node:assert/strict';
import { alexnet, compile, sgd } from '../../lib/index.js';
import { labels, noise, slow, SLOW_IMAGE, tiny } from '../support/nets.js';
import { sanitized } from '../support/sanitizer.js';
import { compiled, script } from '../support/scripts.js';

const MB = 1 << 20;

describe('memory', function () {
  this.timeout(180_000);
  if (sanitized) return;

  before(() => compiled());

  it('is flat over 1,000 rounds of compile, run and dispose', () => {
    const { stdout, stderr, code } = script(
      `import { compile, conv2d, dense, graph, input, maxPool, relu, sgd, softmaxLoss } from 'cortado';
       const net = graph({ data: input([8, 32, 32]), label: input([]) }, ({ data, label }) => {
         const x = maxPool(relu(conv2d(data, { name: 'conv', filters: 16, kernel: 3 })), { kernel: 2, stride: 2 });
         return { loss: softmaxLoss(dense(x, { name: 'fc', units: 10 }), label) };
       });
       const data = new Float32Array(4 * 8 * 32 * 32).fill(0.5);
       const label = [1, 2, 3, 4];
       const round = async (i) => {
         const model = await compile(net, { batch: 4, threads: 1 + (i & 1), solver: sgd({ rate: 0.01 }) });
         await model.step({ data, label });
         await model.backward({ data, label }, { of: ['conv.weight', 'data'] });
         model.dispose();
       };
       const measure = () => {
         for (let i = 0; i < 4; i++) gc();
         const { rss, heapTotal, external } = process.memoryUsage();
         return { native: rss - heapTotal, external };
       };
       const rounds = async (count) => { for (let i = 0; i < count; i++) await round(i); };
       // The smallest of a few: what malloc's arenas and V8's spaces happen to hold comes and goes by 10 MB.
       const lowest = async () => {
         let low = { native: Infinity };
         for (let i = 0; i < 4; i++) {
           await rounds(50);
           const now = measure();
           if (now.native < low.native) low = now;
         }
         return low;
       };
       // The arenas reach their size, 60 MB in all, within some 500 rounds.
       await rounds(800);
       const before = await lowest();
       await rounds(800);
       console.log(JSON.stringify({ before, after: await lowest() }));`,
      { flags: ['--expose-gc'] },
    );
    assert.equal(code, 0, stderr);
    const { before, after } = JSON.parse(stdout) as Record<'before' | 'after', { native: number; external: number }>;
    // A model of these takes about 1.5 MB: a hundredth of a leak a round would be 15 MB.
    const grown = after.native - before.native;
    assert.ok(grown < 15 * MB, `${before.native / MB} → ${after.native / MB} MB beside the JavaScript heap`);
    assert.ok(Math.abs(after.external - before.external) < MB, `external ${before.external} → ${after.external}`);
  });

  it('of models that nobody disposes is freed when they are collected', () => {
    const { stdout, stderr, code } = script(
      `import { compile, dense, graph, input } from 'cortado';
       const net = graph({ data: input([1024]) }, ({ data }) => ({ y: dense(data, { name: 'fc', units: 4096 }) }));
       const data = new Float32Array(1024);
       const round = async () => { await (await compile(net)).forward({ data }); };
       const settle = async () => {
         for (let i = 0; i < 3; i++) { gc(); await new Promise(setImmediate); }
         return process.memoryUsage().rss;
       };
       await round();
       const before = await settle();
       for (let i = 0; i < 20; i++) { await round(); await settle(); }
       console.log(JSON.stringify({ before, after: await settle() }));`,
      { flags: ['--expose-gc'] },
    );
    assert.equal(code, 0, stderr);
    const { before, after } = JSON.parse(stdout) as Record<'before' | 'after', number>;
    // Twenty times 16 MB, had they stayed.
    assert.ok(after - before < 64 * MB, `resident ${before / MB} → ${after / MB} MB`);
  });

  it('held by forgotten models makes V8 collect them by itself', () => {
    const { stdout, stderr, code } = script(
      `import { compile, dense, graph, input } from 'cortado';
       const net = graph({ data: input([1024]) }, ({ data }) => ({ y: dense(data, { name: 'fc', units: 4096 }) }));
       for (let i = 0; i < 100; i++) { await compile(net); await new Promise(setImmediate); }
       console.log(process.resourceUsage().maxRSS);`,
    );
    assert.equal(code, 0, stderr);
    // V8 sees the JavaScript objects only, some kilobytes: it collects for what it was told of. 1.6 GB, had it not been.
    assert.ok(Number(stdout) < 2 ** 20, `at most ${(Number(stdout) / 2 ** 20).toFixed(2)} GB resident`);
  });

  it('is what memoryUsage() says', async () => {
    const model = await compile(tiny(), { batch: 4, solver: sgd({ rate: 0.1 }) });
    const parameters = 4 * (4 * 3 * 9 + 4 + 5 * 36 + 5);
    const fresh = model.memoryUsage();
    assert.ok(fresh.parameters >= parameters && fresh.parameters < parameters + 4 * 256, String(fresh.parameters));
    assert.equal(fresh.history, fresh.parameters);
    assert.equal(fresh.work, 0);
    await model.step({ data: noise([4, 3, 8, 8]), label: labels(4, 5) });
    const { work, scratch, total, history } = model.memoryUsage();
    assert.ok(work >= 4 * 4 * (192 + 144 + 36), String(work));
    assert.equal(total, work + scratch + history + fresh.parameters);
    model.dispose();
    assert.deepEqual(model.memoryUsage(), { parameters: 0, history: 0, work: 0, scratch: 0, total: 0 });
  });

  it('does not grow after the first run', async () => {
    await using model = await compile(slow(), { batch: 2 });
    const data = noise([2, ...SLOW_IMAGE]);
    await model.forward({ data });
    const first = model.memoryUsage();
    for (let i = 0; i < 3; i++) await model.forward({ data });
    assert.deepEqual(model.memoryUsage(), first);
  });

  it('is reused: two buffers are enough for a chain of layers', async () => {
    await using model = await compile(slow(), { batch: 1 });
    await model.forward({ data: noise([1, ...SLOW_IMAGE]) });
    const blob = 4 * SLOW_IMAGE.reduce((a, b) => a * b);
    assert.ok(model.memoryUsage().work <= 3 * blob + 4096, `${model.memoryUsage().work / blob} blobs`);
  });

  it('goes back at dispose, without waiting for the collector', async () => {
    const model = await compile(alexnet(), { batch: 1 });
    await model.forward({ data: new Float32Array(3 * 227 * 227) });
    const before = process.memoryUsage.rss();
    model.dispose();
    await new Promise((done) => setTimeout(done, 50));
    const freed = before - process.memoryUsage.rss();
    assert.ok(freed > 200 * MB, `${freed / MB} MB freed, parameters alone are 233`);
  });
});
