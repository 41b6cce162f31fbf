/** A GPU beside the CPU, over nets of random shapes. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { typescript } from '../support/cli.js';
import { simulated } from '../support/device.js';

const program = join(import.meta.dirname, 'random-nets.ts');
/** A simulated GPU shows that the test holds, a real one that it does. */
const NETS = simulated ? 8 : 1000;
/** What takes longest, to look for the plans of a new shape, a process does for one shape at a time. */
const PROCESSES = simulated ? 1 : 8;

describe('a GPU', function () {
  this.timeout(1_200_000);
  before(function () {
    if (!process.env.CORTADO_DEVICE?.startsWith('cuda')) this.skip();
  });

  it(`computes ${NETS} nets of random shapes as the CPU does`, async () => {
    const shares = Array.from({ length: PROCESSES }, async (_, share) => {
      const words = [program, NETS, PROCESSES, share].map(String);
      const { stdout } = await promisify(execFile)(process.execPath, [...typescript, ...words]);
      return stdout.split('\n').filter((line) => line !== '');
    });
    const computed = (await Promise.all(shares)).flat().map(Number);
    assert.deepEqual(
      computed.sort((a, b) => a - b),
      Array.from({ length: NETS }, (_, i) => i),
    );
  });
});
