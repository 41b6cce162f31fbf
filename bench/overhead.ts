/**
 * What a training step costs the main thread: its processor time, checks, copies, promises and wake-ups included, with a
 * net whose computing takes a few microseconds on a thread of its own. `npm run bench:overhead` (Linux).
 */
import { compile, sgd } from '../lib/index.js';
import { threadTime } from '../test/support/clock.js';
import { labels, noise, tiny } from '../test/support/nets.js';
import { median } from './timing.js';

const WARM_UP = 5000;
const [BLOCKS, STEPS] = [15, 2000];

if (!threadTime()) throw new Error('expected Linux, which counts the processor time of each thread');
await using model = await compile(tiny(), { batch: 1, threads: 1, solver: sgd({ rate: 0.001 }) });
const inputs = { data: noise([1, 3, 8, 8]), label: labels(1, 5) };
const steps = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await model.step(inputs);
};
await steps(WARM_UP);
const costs: number[] = [];
for (let block = 0; block < BLOCKS; block++) {
  const before = threadTime()!.running;
  await steps(STEPS);
  costs.push((1000 * (threadTime()!.running - before)) / STEPS);
}
console.log(
  `main thread, a step: median ${median(costs).toFixed(1)} µs, best ${Math.min(...costs).toFixed(1)} µs of ${BLOCKS} blocks of ${STEPS} steps`,
);
