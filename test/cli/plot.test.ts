import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { readLog } from '../../lib/cli/plot/log.js';
import { cli } from '../support/cli.js';

const line = (entry: object): string => `${JSON.stringify(entry)}\n`;

describe('cortado plot', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cortado-plot-'));
  const at = (name: string): string => join(folder, name);
  after(() => rmSync(folder, { recursive: true }));

  before(() => {
    const steps = [1, 2, 3, 4].map((i) => line({ type: 'step', iteration: 10 * i, metrics: { loss: 2 / i } }));
    const test = line({ type: 'evaluation', iteration: 40, metrics: { accuracy: 0.7, loss: 0.6 } });
    writeFileSync(at('one.jsonl'), steps.join('') + test);
    writeFileSync(at('two.jsonl'), steps.join('').replaceAll('0.5', '0.4'));
  });

  it('draws the curves of several logs as a vector or pixel picture', async () => {
    const svg = cli(['plot', at('one.jsonl'), at('two.jsonl'), at('out.svg')]);
    assert.equal(svg.code, 0, svg.stderr);
    const text = readFileSync(at('out.svg'), 'utf8');
    for (const words of ['one: training loss', 'two: training loss', 'one: test accuracy'])
      assert.ok(text.includes(words), words);
    const png = cli(['plot', at('one.jsonl'), at('out.png'), '--width', '300', '--height', '200', '--json']);
    assert.equal(png.code, 0, png.stderr);
    const { format, width } = await sharp(at('out.png')).metadata();
    assert.equal(format, 'png');
    assert.ok(width >= 300);
    const { series } = JSON.parse(png.stdout) as { series: { metric: string; of: string }[] };
    assert.deepEqual(
      series.map(({ metric, of }) => `${of} ${metric}`),
      ['training loss', 'test accuracy', 'test loss'],
    );
  });

  it('lets what was done anew count, and passes over a line that was cut short', async () => {
    const step = (iteration: number, loss: number): string => line({ type: 'step', iteration, metrics: { loss } });
    const again = line({ type: 'begin', iteration: 10 });
    writeFileSync(at('again.jsonl'), step(10, 3) + step(20, 2) + again + step(20, 1) + '{"type":"st');
    const { curves } = await readLog(at('again.jsonl'));
    assert.deepEqual(curves[0]!.points, [
      { iteration: 10, value: 3 },
      { iteration: 20, value: 1 },
    ]);
  });

  it('answers misuse with exit code 2, what is no log with 1', () => {
    writeFileSync(at('bad.jsonl'), '{"type":"step"}\nloss 3\n');
    writeFileSync(at('empty.jsonl'), '{}\n');
    const cases: [string[], number, RegExp][] = [
      [[at('one.jsonl'), at('out.gif')], 2, /\.svg or \.png/],
      [[at('out.svg')], 2, /at least one log/],
      [[at('none.jsonl'), at('out.svg')], 1, /none\.jsonl: cannot be read/],
      [[at('bad.jsonl'), at('out.svg')], 1, /bad\.jsonl, line 2/],
      [[at('empty.jsonl'), at('out.svg')], 1, /expected a log with steps/],
      [[at('one.jsonl'), at('nowhere/out.svg')], 1, /cannot be written/],
    ];
    for (const [words, code, says] of cases) {
      const result = cli(['plot', ...words]);
      assert.equal(result.code, code, result.stderr);
      assert.match(result.stderr, says);
    }
  });
});
