import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { Confusion, formatClasses, formatConfusion } from '../../lib/cli/tables.js';
import { chooseView } from '../../lib/cli/view/choose.js';
import { Lines } from '../../lib/cli/view/lines.js';
import { Live } from '../../lib/cli/view/live.js';
import { Course } from '../../lib/cli/view/sparkline.js';
import type { Beginning } from '../../lib/cli/view/view.js';
import type { TrainStep } from '../../lib/train/index.js';
import { scratch } from '../data/sources/support.js';

const beginning: Beginning = {
  ...{ net: 'small', parameters: 1234, images: 5000, batch: 10 },
  ...{ iteration: 0, iterations: 40, device: 'cpu', threads: 2 },
};

function step(iteration: number, more: Partial<TrainStep> = {}): TrainStep {
  const loss = 2 / iteration;
  const speed = { imagesPerSecond: 200, milliseconds: 50, waited: 10 };
  return { iteration, epoch: iteration / 500, loss, averageLoss: loss, rate: 0.01, metrics: {}, ...speed, ...more };
}

describe('the view of a training', () => {
  const { path: folder } = scratch();

  it('on a terminal shows how far it is, the course of the loss, speed and what happened', () => {
    let written = '';
    const terminal = new Writable({
      write(text: Buffer, _, done) {
        written += text.toString();
        done();
      },
    });
    const live = new Live(Object.assign(terminal, { columns: 120 }));
    live.begin(beginning);
    for (let i = 1; i <= 20; i++) live.step(step(i));
    live.step(step(21, { bad: [{ name: 'a.jpg', reason: 'a.jpg: a damaged picture' }] }));
    live.step(step(22, { evaluation: { metrics: { accuracy: 0.5 }, images: 100, milliseconds: 2000, best: true } }));
    live.step(step(23, { checkpoint: { error: new Error('no space left') } }));
    live.end({ outcome: 'early', iteration: 23, seconds: 75, averageLoss: 0.1, test: { accuracy: 0.5 }, files: ['x'] });
    const text = stripVTControlCharacters(written);
    assert.match(text, /small: 1,234 parameters; 5,000 images, 40 iterations of 10; cpu, 2 threads/);
    assert.match(text, /█+.*57% {2}iteration 23\/40 {2}epoch 0\.05/);
    assert.match(text, /loss {3}█[▁▂▃▄▅▆▇█]* 0\.08696/);
    assert.match(text, /200 images\/s, 20% of it waiting for data {2}rate 0\.01/);
    assert.match(text, /left out: a\.jpg: a damaged picture/);
    assert.match(text, /test {3}iteration 22 {2}accuracy 0\.5000 {2}\(100 images in 2\.0 s\) {2}the best so far/);
    assert.match(text, /not saved: no space left/);
    assert.match(text, /stopped early, nothing got better: iteration 23 after 1 min 15 s/);
    assert.ok(written.endsWith('x\n') && written.includes('\x1b[?25h'), 'the cursor is back');
  });

  it('in a pipe is a line for every so many iterations', () => {
    const lines: string[] = [];
    const view = new Lines((text) => lines.push(text), 2);
    view.begin(beginning);
    for (let i = 1; i <= 4; i++) view.step(step(i));
    view.end();
    assert.equal(lines.length, 3);
    assert.equal(lines[1], 'iteration 2  epoch 0.00  loss 1.000  rate 0.01  200 images/s  20% of it waiting for data');
  });

  it('in a log is whole once its end was told', async () => {
    const log = join(folder, 'whole.jsonl');
    const view = await chooseView({ json: false, log, display: 1 });
    view.begin(beginning);
    for (let i = 1; i <= 4; i++) view.step(step(i));
    await view.end({ outcome: 'done', iteration: 4, seconds: 1, averageLoss: 1, test: undefined, files: [] });
    const types = readFileSync(log, 'utf8').trim().split('\n');
    assert.deepEqual(
      types.map((line) => (JSON.parse(line) as { type: string }).type),
      ['begin', 'step', 'step', 'step', 'step', 'end'],
    );
  });

  it('draws a course of any length in the width there is', () => {
    const course = new Course();
    for (let i = 0; i < 5000; i++) course.add(i);
    course.add(NaN);
    assert.equal(course.draw(8), '▁▂▃▄▅▆▇█');
    assert.ok(course.draw(40).length <= 40);
  });
});

describe('tables of classes', () => {
  it('count what was taken for what', () => {
    const confusion = new Confusion(3);
    for (const [truth, guess] of [
      [0, 0],
      [0, 0],
      [0, 1],
      [1, 1],
    ] as const)
      confusion.add(truth, guess);
    assert.equal(confusion.accuracy, 0.75);
    const names = ['ant', 'bee', 'cat'];
    const rows = confusion.rows(names);
    assert.deepEqual(rows[0], { class: 0, name: 'ant', count: 3, precision: 1, recall: 2 / 3 });
    assert.deepEqual(rows[2], { class: 2, name: 'cat', count: 0, precision: undefined, recall: undefined });
    assert.match(formatClasses(rows), /^class .*\nant +100\.0% +66\.7% +3\nbee +50\.0% +100\.0% +1$/);
    assert.match(formatConfusion(confusion, names), /\nant +2 +1 +·\nbee +· +1 +·\ncat +· +· +·$/);
    assert.match(formatConfusion(new Confusion(30)), /most frequent confusions/);
  });
});
