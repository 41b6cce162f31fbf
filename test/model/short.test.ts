/** Runs that take less than handing them over: they keep the promises of all others. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { compile, type Model } from '../../lib/index.js';
import { allocate, ended, prepare, type NativePlan } from '../../lib/native.js';
import { noise, slow, SLOW_IMAGE, tiny } from '../support/nets.js';

/** Enough for the device to know how long they take. */
const WARM_UP = 50;

describe('runs that are short', () => {
  const data = noise([1, 3, 8, 8], 4);
  let model: Model;

  before(async () => {
    model = await compile(tiny(), { batch: 1, threads: 1 });
    for (let i = 0; i < WARM_UP; i++) await model.forward({ data });
  });
  after(() => model.dispose());

  it('are made on the thread that asks for them, once it is known how long they take', async () => {
    const step = { kernel: 'fill', label: 'fill', inputs: [], outputs: [0], attributes: { value: 1 } };
    const filled = async (elements: number): Promise<NativePlan> => {
      const tensors = [{ memory: 0, offset: 0, shape: [elements], dtype: 'f32' }] as const;
      return prepare({ memories: [allocate(4 * elements)], tensors, steps: [step], threads: 1 });
    };
    const [short, long] = [await filled(64), await filled(2 ** 24)];
    for (const plan of [short, long]) for (let i = 0; i < WARM_UP / 5; i++) await plan.run([], false);
    const given = long.run([], false);
    assert.ok(given instanceof Promise);
    await ended(given);
    // The device's thread may not have laid down the run before when its end is known here.
    let made = false;
    for (let i = 0; i < 1000 && !made; i++) {
      const run = short.run([], false);
      made = !(run instanceof Promise);
      await ended(run);
    }
    assert.ok(made);
    for (const plan of [short, long]) plan.dispose();
  });

  it('let the event loop turn between them', async () => {
    let turns = 0;
    const count = (): void => {
      turns++;
      next = setImmediate(count);
    };
    let next = setImmediate(count);
    const runs = 200;
    for (let i = 0; i < runs; i++) await model.forward({ data });
    clearImmediate(next);
    assert.ok(turns >= runs / 2, `${turns} turns in ${runs} runs`);
  });

  it('wait for those of other models that were called before', async () => {
    using long = await compile(slow(), { batch: 1 });
    const picture = noise([1, ...SLOW_IMAGE]);
    await long.forward({ data: picture }); // plans are prepared beside other runs
    const order: string[] = [];
    const first = long.forward({ data: picture }).then(() => order.push('long'));
    await sleep(1); // its inputs are copied first
    await Promise.all([first, model.forward({ data }).then(() => order.push('short'))]);
    assert.deepEqual(order, ['long', 'short']);
  });

  it('give the same bits wherever they are made', async () => {
    // The first run of a model is on the device's thread, since nobody knows yet how long it takes.
    const seen = new Set<string>();
    using fresh = await compile(tiny(), { batch: 1, threads: 1 });
    for (const net of [model, fresh])
      for (let i = 0; i < 3; i++) seen.add(String((await net.forward({ data })).prob.data));
    assert.equal(seen.size, 1);
  });

  // What the system says of its memory takes longer to read than a small net to run.
  it('read no files', async function () {
    const counters = '/proc/self/io';
    if (!existsSync(counters)) this.skip();
    const bytesRead = (): number => Number(/rchar: (\d+)/.exec(readFileSync(counters, 'utf8'))![1]);
    const runs = 200;
    const before = bytesRead();
    for (let i = 0; i < runs; i++) await model.forward({ data });
    const bytes = (bytesRead() - before) / runs;
    assert.ok(bytes < 100, `${bytes} bytes a run`);
  });

  it('are cancelled before they begin, and not when they have ended', async () => {
    await assert.rejects(model.forward({ data }, { signal: AbortSignal.abort() }), { name: 'AbortError' });
    const controller = new AbortController();
    const run = model.forward({ data }, { signal: controller.signal });
    await run;
    controller.abort();
    assert.equal((await run).prob!.data.length, 5);
  });
});
