import assert from 'node:assert/strict';
import { Order } from '../../lib/data/order.js';

const all = (order: Order): number[] => Array.from({ length: order.length }, (_, place) => order.at(place));

describe('an order', () => {
  it('is a permutation of any length', () => {
    for (const length of [1, 2, 3, 4, 5, 7, 8, 9, 31, 64, 100, 1000, 4097]) {
      const sorted = all(new Order(length, 3, 1)).sort((a, b) => a - b);
      assert.deepEqual(
        sorted,
        Array.from({ length }, (_, i) => i),
        String(length),
      );
    }
  });

  it('is the same for the same seed and epoch only', () => {
    const first = all(new Order(1000, 1, 0));
    assert.deepEqual(all(new Order(1000, 1, 0)), first);
    for (const other of [new Order(1000, 2, 0), new Order(1000, 1 + 2 ** 32, 0), new Order(1000, 1, 1)]) {
      // Two random permutations agree at one place on average, at ten almost never.
      const equal = all(other).filter((value, place) => value === first[place]).length;
      assert.ok(equal < 10, `${equal} places are equal`);
    }
  });

  it('sends every place everywhere equally often', () => {
    const [length, seeds] = [8, 4000];
    const counts = Array.from({ length }, () => new Array<number>(length).fill(0));
    for (let seed = 0; seed < seeds; seed++)
      all(new Order(length, seed, 0)).forEach((to, from) => counts[from]![to]!++);
    const expected = seeds / length;
    const chi2 = counts.flat().reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
    // 49 degrees of freedom: beyond 85 in one case of a thousand.
    assert.ok(chi2 < 85, `chi² ${chi2.toFixed(0)}`);
  });
});
