/** How concurrent calls become batches: fullness, order, waiting, ends. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { setImmediate, setTimeout } from 'node:timers/promises';
import fc from 'fast-check';
import { DisposedError } from '../../lib/index.js';
import { MicroBatcher, type BatchOptions } from '../../lib/tasks/micro-batcher.js';

interface Bench {
  readonly batcher: MicroBatcher<number, number>;
  /** Items of each run so far. */
  readonly runs: (readonly number[])[];
  readonly signals: AbortSignal[];
  /** Ends the run on its way. */
  readonly finish: (error?: Error) => Promise<void>;
}

/** A batcher whose runs end when told; the answer is the item doubled. */
function bench(options: Partial<BatchOptions> = {}): Bench {
  const runs: (readonly number[])[] = [];
  const signals: AbortSignal[] = [];
  let end: ((error?: Error) => void) | undefined;
  const batcher = new MicroBatcher<number, number>(
    (items, signal) => {
      runs.push(items);
      signals.push(signal);
      return new Promise((resolve, reject) => {
        end = (error) => (error ? reject(error) : resolve(items.map((x) => 2 * x)));
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      });
    },
    { limit: 4, latency: 1000, ...options },
  );
  const finish = async (error?: Error): Promise<void> => {
    end!(error);
    await setImmediate();
  };
  return { batcher, runs, signals, finish };
}

const later = (value: number, ms: number) => ({ make: () => setTimeout(ms, value) });
const now = (value: number) => ({ make: () => value });

describe('MicroBatcher', () => {
  it('starts at once when nothing else is on its way, and gathers what comes meanwhile', async () => {
    const { batcher, runs, finish } = bench();
    const first = batcher.submit(now(1));
    await setImmediate();
    assert.deepEqual(runs, [[1]]);
    const others = [2, 3, 4, 5, 6].map((x) => batcher.submit(now(x)));
    await setImmediate();
    assert.equal(runs.length, 1);
    assert.equal(batcher.pending, 6);
    await finish();
    assert.equal(await first, 2);
    assert.deepEqual(runs[1], [2, 3, 4, 5]);
    await finish();
    await finish();
    assert.deepEqual(await Promise.all(others), [4, 6, 8, 10, 12]);
    assert.deepEqual(runs[2], [6]);
    assert.equal(batcher.pending, 0);
  });

  it('waits for what is on its way no longer than the latency', async () => {
    const { batcher, runs, finish } = bench({ latency: 30 });
    const began = performance.now();
    const quick = batcher.submit(now(1));
    const slow = batcher.submit(later(2, 300));
    while (runs.length === 0) await setTimeout(1);
    assert.ok(performance.now() - began >= 29);
    assert.deepEqual(runs, [[1]]);
    await finish();
    assert.equal(await quick, 2);
    while (runs.length === 1) await setTimeout(1);
    await finish();
    assert.equal(await slow, 4);
  });

  it('does not wait when it is full', async () => {
    const { batcher, runs, finish } = bench({ limit: 2, latency: 60_000 });
    const all = [batcher.submit(now(1)), batcher.submit(now(2)), batcher.submit(later(3, 20))];
    await setImmediate();
    assert.deepEqual(runs, [[1, 2]]);
    await finish();
    while (runs.length === 1) await setTimeout(1);
    await finish();
    assert.deepEqual(await Promise.all(all), [2, 4, 6]);
  });

  it('runs what is ready in the order of the calls, whatever was made first', async () => {
    const { batcher, runs, finish } = bench({ latency: 200 });
    const all = [later(1, 30), later(2, 1), later(3, 15)].map((work) => batcher.submit(work));
    while (runs.length === 0) await setTimeout(1);
    await finish();
    await Promise.all(all);
    assert.deepEqual(runs, [[1, 2, 3]]);
  });

  it('makes no more ahead than two runs take', async () => {
    let making = 0;
    let most = 0;
    const batcher = new MicroBatcher<number, number>(async (items) => (await setTimeout(2), [...items]), {
      limit: 3,
      latency: 5,
    });
    const make = async (): Promise<number> => {
      most = Math.max(most, ++making);
      await setTimeout(1);
      making--;
      return 1;
    };
    await Promise.all(Array.from({ length: 40 }, () => batcher.submit({ make })));
    assert.equal(most, 6);
  });

  it('lets a failure to make one item be that call’s alone, and a failed run its own', async () => {
    const { batcher, runs, finish } = bench();
    const bad = batcher.submit({
      make: () => {
        throw new Error('damaged');
      },
    });
    const good = batcher.submit(now(1));
    await assert.rejects(bad, /damaged/);
    await setImmediate();
    assert.deepEqual(runs, [[1]]);
    const next = batcher.submit(now(2));
    await setImmediate();
    const failed = assert.rejects(good, /no memory/);
    await finish(new Error('no memory'));
    await failed;
    await finish();
    assert.equal(await next, 4);
  });

  it('keeps kinds and rows apart', async () => {
    const { batcher, runs, finish } = bench();
    const head = batcher.submit(now(0));
    await setImmediate();
    const all = [
      batcher.submit({ make: () => 1, kind: 'a', rows: 3 }),
      batcher.submit({ make: () => 2, kind: 'b' }),
      batcher.submit({ make: () => 3, kind: 'a', rows: 2 }),
      batcher.submit({ make: () => 4, kind: 'b' }),
    ];
    await setImmediate();
    for (let i = 0; i < 4; i++) await finish();
    await Promise.all([head, ...all]);
    assert.deepEqual(runs, [[0], [1], [2, 4], [3]]);
  });

  it('ends an aborted call wherever it is, and a run only when nobody waits for it', async () => {
    const { batcher, runs, signals, finish } = bench();
    const controllers = Array.from({ length: 5 }, () => new AbortController());
    const calls = controllers.map(({ signal }, i) => batcher.submit({ make: () => i, signal }));
    await setImmediate();
    // Four run, one waits.
    assert.deepEqual(runs, [[0, 1, 2, 3]]);
    const rejected = calls.map((call, i) => assert.rejects(call, new RegExp(`enough ${i}`)));
    controllers[4]!.abort(new Error('enough 4'));
    for (const i of [0, 1, 2]) controllers[i]!.abort(new Error(`enough ${i}`));
    assert.equal(signals[0]!.aborted, false);
    controllers[3]!.abort(new Error('enough 3'));
    assert.equal(signals[0]!.aborted, true);
    await Promise.all(rejected);
    await setImmediate();
    const after = batcher.submit(now(7));
    await setImmediate();
    assert.deepEqual(runs[1], [7]);
    await finish();
    assert.equal(await after, 14);
    await assert.rejects(batcher.submit({ make: () => 1, signal: AbortSignal.abort(new Error('before')) }), /before/);
  });

  it('listens once to a signal of many calls, and not after their answers', async () => {
    const { batcher, finish } = bench({ limit: 100 });
    const { signal } = new AbortController();
    const calls = Array.from({ length: 50 }, (_, i) => batcher.submit({ make: () => i, signal }));
    assert.equal(getEventListeners(signal, 'abort').length, 1);
    await setImmediate();
    await finish();
    await Promise.all(calls);
    assert.equal(getEventListeners(signal, 'abort').length, 0);
  });

  it('tells when it is idle, and rejects all once it is closed', async () => {
    const { batcher, finish } = bench();
    await batcher.idle();
    const call = batcher.submit(now(1));
    let idle = false;
    const whenIdle = batcher.idle().then(() => (idle = true));
    await setImmediate();
    assert.equal(idle, false);
    await finish();
    await Promise.all([call, whenIdle]);
    const running = assert.rejects(batcher.submit(now(1)), DisposedError);
    await setImmediate();
    batcher.close();
    batcher.close();
    await running;
    await assert.rejects(batcher.submit(now(1)), DisposedError);
  });

  it('answers every call with its own answer, whatever comes when', async () => {
    const call = fc.record({
      wait: fc.nat(8),
      make: fc.nat(6),
      rows: fc.integer({ min: 1, max: 6 }),
      fails: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(call, { maxLength: 30 }), fc.integer({ min: 1, max: 5 }), async (calls, limit) => {
        const batcher = new MicroBatcher<number, number>(
          async (items) => {
            await setTimeout(1);
            return items.map((x) => x + 1000);
          },
          { limit, latency: 2 },
        );
        const answers = calls.map(async ({ wait, make, rows, fails }, i) => {
          await setTimeout(wait);
          const item = async (): Promise<number> => {
            await setTimeout(make);
            if (fails) throw new Error(`bad ${i}`);
            return i;
          };
          return batcher.submit({ make: item, rows });
        });
        const settled = await Promise.allSettled(answers);
        settled.forEach((each, i) => {
          if (calls[i]!.fails) assert.match(String(each.status === 'rejected' && each.reason), new RegExp(`bad ${i}$`));
          else assert.equal(each.status === 'fulfilled' && each.value, i + 1000);
        });
        assert.equal(batcher.pending, 0);
      }),
      { numRuns: 25 },
    );
  });
});
