import assert from 'node:assert/strict';
import { rates, UsageError, type Rate } from '../../lib/index.js';
import { rateAt, stepsAt } from '../../lib/solvers/rates.js';

/** The rates of the first iterations, each asked once, from the state that the one before left. */
function first(rate: Rate, iterations: number, steps = 0): number[] {
  return Array.from({ length: iterations }, (_, iteration) => {
    steps = stepsAt(rate, iteration, steps);
    return rateAt(rate, iteration, steps);
  });
}

function assertRates(rate: Rate, want: readonly number[], steps?: number): void {
  const got = first(rate, want.length, steps);
  want.forEach((value, i) => assert.ok(Math.abs(got[i]! - value) < 1e-12, `iteration ${i}: ${got[i]}, not ${value}`));
}

describe('learning rates', () => {
  it('stay, or fall by each policy of Caffe', () => {
    assertRates(rates.fixed(0.1), [0.1, 0.1, 0.1]);
    assertRates(rates.step({ base: 8, gamma: 0.5, every: 2 }), [8, 8, 4, 4, 2]);
    assertRates(rates.exp({ base: 8, gamma: 0.5 }), [8, 4, 2]);
    assertRates(rates.inv({ base: 6, gamma: 1, power: 1 }), [6, 3, 2]);
    assertRates(rates.poly({ base: 1, power: 2, iterations: 4 }), [1, 0.5625, 0.25, 0.0625, 0, 0]);
    assertRates(rates.sigmoid({ base: 2, gamma: -1, middle: 1 }), [2 / (1 + Math.exp(-1)), 1, 2 / (1 + Math.E)]);
  });

  it('make at most one of several steps an iteration', () => {
    assertRates(rates.multistep({ base: 8, gamma: 0.5, at: [2, 3] }), [8, 8, 4, 2, 2]);
    assertRates(rates.multistep({ base: 8, gamma: 0.5, at: [0, 0, 0] }), [4, 2, 1, 1]);
    assertRates(rates.multistep({ base: 8, gamma: 0.5, at: [1, 2] }), [4, 4, 2, 2], 1);
    assert.deepEqual(first(rates.multistep({ base: 8, gamma: 0.5, at: [] }), 2), [8, 8]);
  });

  it('rise in the warm-up and fall as half a wave', () => {
    const rate = rates.cosine({ base: 1, iterations: 8, warmup: 4, least: 0.2 });
    const fall = [0, 0.25, 0.5, 0.75].map((part) => 0.2 + 0.4 * (1 + Math.cos(Math.PI * part)));
    assertRates(rate, [0.25, 0.5, 0.75, 1, ...fall, 0.2, 0.2]);
    assertRates(rates.cosine({ base: 1, iterations: 2 }), [1, 0.5, 0]);
    assertRates(rates.cosine({ base: 1, iterations: 2, warmup: 2 }), [0.5, 1, 0]);
  });

  it('refuse numbers that make no sense', () => {
    const wrong: [() => Rate, RegExp][] = [
      [() => rates.fixed(-1), /rate to be a finite number of at least 0, got -1/],
      [() => rates.step({ base: 1, gamma: 0.1, every: 0 }), /every to be a whole number of at least 1, got 0/],
      [() => rates.exp({ base: 1, gamma: NaN }), /gamma/],
      [() => rates.inv({ base: 1, gamma: 1, power: -1 }), /power/],
      [() => rates.multistep({ base: 1, gamma: 1, at: [1.5] }), /at\[0\]/],
      [() => rates.multistep({ base: 1, gamma: 1, at: [3, 2] }), /rising order, got 3, 2/],
      [() => rates.poly({ base: 1, power: 1, iterations: 0 }), /iterations/],
      [() => rates.sigmoid({ base: 1, gamma: Infinity, middle: 1 }), /gamma/],
      [() => rates.cosine({ base: 1, iterations: 2, warmup: 3 }), /warmup to be at most 2, got 3/],
    ];
    for (const [make, message] of wrong) assert.throws(make, { name: UsageError.name, message });
  });
});
