/** The event loop's own time: a run never holds it up, and costs little of it. */
import assert from 'node:assert/strict';
import { alexnet, compile, sgd } from '../../lib/index.js';
import { info } from '../../lib/native.js';
import { crowded, threadTime } from '../support/clock.js';
import { labels, noise, tiny } from '../support/nets.js';
import { sanitized } from '../support/sanitizer.js';

/** Longest time between two turns of the event loop, in milliseconds. */
interface Pause {
  /** By the clock on the wall. */
  readonly wall: number;
  /** Without the time in which other threads had the cores. */
  readonly own: number;
}

/** The longest pauses while `work` is on its way. */
async function longestPause(work: () => Promise<unknown>): Promise<Pause> {
  let [wall, own] = [0, 0];
  let [last, waited] = [performance.now(), threadTime()?.waiting ?? 0];
  let done = false;
  const turn = (): void => {
    const [now, waiting] = [performance.now(), threadTime()?.waiting ?? 0];
    wall = Math.max(wall, now - last);
    own = Math.max(own, now - last - (waiting - waited));
    [last, waited] = [now, waiting];
    if (!done) setTimeout(turn, 1);
  };
  const timer = setTimeout(turn, 1);
  await work();
  turn();
  done = true;
  clearTimeout(timer);
  return { wall, own };
}

describe('the event loop', function () {
  this.timeout(300_000);
  if (sanitized) return;

  it('is never held up for 10 ms by an AlexNet step of 64 images', async function () {
    if (info().availableMemory < 4e9) this.skip();
    await using model = await compile(alexnet(), { batch: 64, solver: sgd({ rate: 0.01, momentum: 0.9 }) });
    const [data, label] = [noise([64, 3, 227, 227], 2, 100), labels(64, 1000)];
    await model.step({ data, label });
    const pauses: Pause[] = [];
    // Where other programs crowd the machine, only our own part of a pause is ours to answer for.
    const short = (pause: Pause): boolean => (crowded(model.threads) ? pause.own : pause.wall) < 10;
    while (pauses.length < 4 && !pauses.some(short)) pauses.push(await longestPause(() => model.step({ data, label })));
    const told = pauses.map(({ wall, own }) => `${wall.toFixed(1)} ms, ${own.toFixed(1)} of them our own`);
    assert.ok(pauses.some(short), `longest pauses ${told.join('; ')}`);
  });

  it('works little for a step', async function () {
    if (!threadTime()) this.skip();
    await using model = await compile(tiny(), { batch: 1, threads: 1, solver: sgd({ rate: 0.001 }) });
    const [data, label] = [noise([1, 3, 8, 8]), labels(1, 5)];
    for (let i = 0; i < 1000; i++) await model.step({ data, label });
    const spent: number[] = [];
    // Well under 100 µs on a quiet machine; old and shared cores, and cold caches, make three times that of the same work.
    const little = (us: number): boolean => us < 300;
    while (spent.length < 20 && !spent.some(little)) {
      const steps = 500;
      const before = threadTime()!.running;
      for (let i = 0; i < steps; i++) await model.step({ data, label });
      spent.push((1000 * (threadTime()!.running - before)) / steps);
    }
    assert.ok(spent.some(little), `${spent.map((us) => us.toFixed(0)).join(', ')} µs a step`);
  });
});
