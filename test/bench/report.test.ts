import assert from 'node:assert/strict';
import { formatGpuNets } from '../../bench/report.js';

describe('the table of nets on a GPU', () => {
  it('compares what is of one precision and has its inputs in one place, with the fastest there', () => {
    const row = (who: string, ms: number, inputs: 'arrays' | 'ahead' | 'device') => ({
      ...{ who, ms, inputs, work: 'bvlc/train', batch: 128, repeats: 20 },
      imagesPerSecond: 128_000 / ms,
    });
    const text = formatGpuNets([
      row('cortado+bfloat16', 2, 'device'),
      row('cortado+bfloat16', 4, 'arrays'),
      row('cortado', 8, 'device'),
      row('cortado+tf32', 4, 'device'),
      row('torch-2.11.0-cuda:compile+channels_last+bf16', 5, 'device'),
      row('torch-2.11.0-cuda:compile+bf16', 3, 'device'),
      row('torch-2.11.0-cuda:eager+channels_last', 12, 'device'),
      row('torch-2.11.0-cuda:compile+tf32+channels_last', 6, 'device'),
    ]);
    const ratios = text
      .split('\n')
      .slice(1)
      .map((line) => /([\d.]+) x (\S+)$/.exec(line)?.slice(1).join(' '));
    assert.deepEqual(ratios.slice(0, 4), [
      '1.50 compile+bf16',
      undefined,
      '1.50 eager+channels_last',
      '1.50 compile+tf32+channels_last',
    ]);
    assert.deepEqual(ratios.slice(4), [undefined, undefined, undefined, undefined]);
    assert.match(text, /on the GPU[^]*copied by each run/);
  });
});
