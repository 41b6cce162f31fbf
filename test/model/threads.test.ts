/** Where the threads of a run may be: on the processors that were left to the process, whoever chose them and when. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { compiled, script } from '../support/scripts.js';

/**
 * Runs of two threads on one processor, on two once the process may use both, on the other. A program keeps the second
 * busy: the system would leave both threads on the first.
 */
const STEPS = `
  import { execFileSync, spawn } from 'node:child_process';
  import { readdirSync, readFileSync } from 'node:fs';
  import { setTimeout as sleep } from 'node:timers/promises';
  import { cifar10Quick, compile } from 'cortado';
  const [first, second] = process.env.PROCESSORS.split(',');
  const allowed = () => new Set(readdirSync('/proc/self/task').map((thread) =>
    /Cpus_allowed_list:\\s*(.*)/.exec(readFileSync('/proc/self/task/' + thread + '/status', 'utf8'))[1]));
  const confine = (to) => execFileSync('taskset', ['-a', '-c', '-p', to, String(process.pid)]);
  const model = await compile(cifar10Quick(), { batch: 8, threads: 2, seed: 1 });
  const data = Float32Array.from({ length: 8 * 3 * 32 * 32 }, (_, i) => Math.sin(i));
  // It ends by itself, too, should this program be ended first.
  const loop = 'for (const end = Date.now() + 60_000; Date.now() < end; );';
  const busy = spawn('taskset', ['-c', second, process.execPath, '-e', loop]);
  const answers = new Set(), seen = [];
  for (const to of [first, first + ',' + second, second]) {
    confine(to);
    for (let i = 0; i < 40; i++) answers.add((await model.forward({ data })).prob.data.join());
    // A thread that is on its way off the other's processor may go anywhere again when it has arrived.
    for (let i = 0; i < 500 && allowed().size > 1; i++) await sleep(10);
    seen.push([...allowed()]);
  }
  busy.kill();
  model.dispose();
  console.log(JSON.stringify({ answers: answers.size, seen }));`;

/** The processors that this process may use; none where the system does not tell. */
function processors(): number[] {
  const status = '/proc/self/status';
  const list = existsSync(status) ? /Cpus_allowed_list:\s*(.*)/.exec(readFileSync(status, 'utf8'))![1]! : '';
  return list
    .split(',')
    .filter((range) => range !== '')
    .flatMap((range) => {
      const [from, to = from] = range.split('-').map(Number);
      return Array.from({ length: to! - from! + 1 }, (_, i) => from! + i);
    });
}

describe('threads of a run', function () {
  this.timeout(180_000);

  it('keep apart on the processors that the process may use, and ask for no others', function () {
    const [first, second] = processors();
    if (second === undefined || spawnSync('taskset', ['--version']).status !== 0) {
      console.log('      (skipped: needs Linux, two processors and taskset)');
      return this.skip();
    }
    compiled();
    const { stdout, stderr, code } = script(STEPS, { env: { PROCESSORS: `${first},${second}` } });
    assert.equal(code, 0, stderr);
    const both = second === first! + 1 ? `${first}-${second}` : `${first},${second}`;
    assert.deepEqual(JSON.parse(stdout), { answers: 1, seen: [[`${first}`], [both], [`${second}`]] });
  });
});
