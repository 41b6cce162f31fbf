/** Steps spoiled at random: refused or harmless, every one. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { typescript } from '../support/cli.js';
import { simulated } from '../support/device.js';
import { fixtures } from '../support/fixtures.js';
import { sanitized } from '../support/sanitizer.js';

const program = join(import.meta.dirname, '..', 'support', 'fuzz.ts');

describe('spoiled steps', function () {
  this.timeout(600_000);
  if (!fixtures('layers')) return;

  it('are refused, or write nothing but their results', () => {
    const seed = '1';
    const tries = sanitized && !simulated ? 30 : 10; // where a wrong access is seen in any case, and soon
    const run = spawnSync(process.execPath, [...typescript, program, seed, `${tries}`, 'tell'], {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    });
    // The last line told is the step that ended the process.
    assert.deepEqual([run.status, run.signal], [0, null], run.stderr.trim().split('\n').slice(-3).join('\n'));
    const { refused, ran, torn } = JSON.parse(run.stdout) as { refused: number; ran: number; torn: string[] };
    assert.deepEqual(torn, []);
    assert.ok(refused > 30 * tries && ran > 3 * tries, `${refused} refused, ${ran} ran`);
  });
});
