/** The order in which images lie in memory, channels first or last, filled up or with pixels as channels: who takes it, who changes it. */
import assert from 'node:assert/strict';
import { openDevice } from '../../lib/device.js';
import { allocate, prepare } from '../../lib/native.js';
import { count } from '../../lib/shape.js';
import { tensorOf } from '../support/ops.js';
import { needsSimulation } from '../support/simulation.js';

/** Images by their pixels, a block's and all blocks': whole ones, cut ones, more channels than they have, fewer pixels. */
const IN_BLOCKS = [
  { channels: 3, extent: [9, 11], block: [4, 4], pad: 0, deep: 48, blocks: [3, 3], dtype: 'bf16', channelsLast: true },
  { channels: 3, extent: [9, 11], block: [2, 3], pad: 1, deep: 24, blocks: [5, 4], dtype: 'f32', channelsLast: false },
  { channels: 3, extent: [9, 10], block: [2, 2], pad: 3, deep: 16, blocks: [8, 8], dtype: 'bf16', channelsLast: true },
  { channels: 1, extent: [5, 7], block: [3, 3], pad: 1, deep: 9, blocks: [2, 3], dtype: 'f16', channelsLast: true },
  { channels: 4, extent: [7, 5], block: [1, 2], pad: 0, deep: 8, blocks: [7, 2], dtype: 'f32', channelsLast: true },
] as const;

describe('images in memory', function () {
  this.timeout(600_000);
  before(needsSimulation);

  it('with channels last are refused by kernels that do not take them so', async () => {
    const memory = allocate(1 << 12, (await openDevice('cuda-sim')).native);
    const plan = async (kernel: string, ...orders: boolean[]): Promise<void> => {
      const tensors = orders.map((channelsLast, i) => {
        return { memory: 0, offset: 1024 * i, shape: [1, 2, 3, 4], dtype: 'f32' as const, channelsLast };
      });
      const steps = [{ kernel, label: 'step', inputs: [0], outputs: [1], attributes: {} }];
      (await prepare({ memories: [memory], tensors, steps, threads: 1 })).dispose();
    };
    await plan('tanh', true, true);
    await plan('convert', true, false);
    await assert.rejects(plan('tanh', true, false), /kernel tanh does not take images in these orders/);
    await assert.rejects(plan('softmax', true, true), /kernel softmax does not take/);
    memory.dispose();
  });

  it('get channels of zeros and lose them again', async () => {
    const memory = allocate(1 << 14, (await openDevice('cuda-sim')).native);
    for (const [channels, more] of [
      [3, 8],
      [12, 16],
      [1, 8],
    ] as const) {
      const images = (c: number, dtype: 'f32' | 'bf16', channelsLast: boolean, i: number) => {
        return { memory: 0, offset: 1024 + 2048 * i, shape: [2, c, 3, 5], dtype, channelsLast };
      };
      const tensors = [
        images(channels, 'f32', false, 0),
        images(more, 'bf16', true, 1),
        images(more, 'f32', false, 2),
        images(channels, 'bf16', true, 4),
        images(channels, 'f32', false, 5),
        images(more, 'bf16', true, 1),
        images(channels, 'f32', false, 6),
      ];
      const steps = [
        [0, 1],
        [1, 2],
        [1, 3],
        [3, 4],
        [3, 5],
        [5, 6],
      ].map(([from, to]) => ({ kernel: 'convert', label: 'step', inputs: [from!], outputs: [to!], attributes: {} }));
      const x = tensorOf([2, channels, 3, 5], (i) => (i % 100) + 1);
      memory.write(1024, x.data, 0, x.data.length);
      const plan = await prepare({ memories: [memory], tensors, steps, threads: 1 });
      const [filled, ...back] = (await plan.run([2, 4, 6], false))!.results;
      plan.dispose();
      for (const data of back) assert.deepEqual(data, x.data);
      filled!.forEach((value, i) => {
        const [image, channel, pixel] = [Math.floor(i / 15 / more), Math.floor(i / 15) % more, i % 15];
        assert.equal(value, channel < channels ? x.data[(image * channels + channel) * 15 + pixel] : 0);
      });
    }
    memory.dispose();
  });

  it('go from one order of their elements to the other and back', async () => {
    const memory = allocate(1 << 18, (await openDevice('cuda-sim')).native);
    for (const [images, channels, height, width] of [
      [2, 72, 3, 5],
      [1, 8, 8, 8],
      [3, 136, 1, 2],
      [1, 64, 5, 13],
      [2, 12, 3, 3],
    ] as const) {
      const shape = [images, channels, height, width];
      const x = tensorOf(shape, (i) => ((i * 7) % 256) + 1);
      memory.write(0, x.data, 0, x.data.length);
      for (const dtype of ['f32', 'bf16', 'f16'] as const) {
        const at = (i: number, type: 'f32' | 'bf16' | 'f16', channelsLast: boolean, extents = shape) => {
          return { memory: 0, offset: i << 15, shape: extents, dtype: type, channelsLast };
        };
        const tensors = [
          at(0, 'f32', false),
          at(1, dtype, true),
          at(1, dtype, false, [images, height, width, channels]), // its elements as they lie
          at(2, 'f32', false, [images, height, width, channels]),
          at(3, dtype, false),
          at(4, 'f32', false),
        ];
        const steps = [
          [0, 1],
          [2, 3],
          [1, 4],
          [4, 5],
        ].map(([from, to]) => ({ kernel: 'convert', label: 'step', inputs: [from!], outputs: [to!], attributes: {} }));
        const plan = await prepare({ memories: [memory], tensors, steps, threads: 1 });
        const [last, back] = (await plan.run([3, 5], false))!.results;
        plan.dispose();
        assert.deepEqual(back, x.data);
        last!.forEach((value, i) => {
          const [image, pixel, channel] = [
            Math.floor(i / channels / height / width),
            Math.floor(i / channels),
            i % channels,
          ];
          const place = (image * channels + channel) * height * width + (pixel % (height * width));
          assert.equal(value, x.data[place], `${dtype} (${shape.join()}), element ${i}`);
        });
      }
    }
    memory.dispose();
  });

  it('have pixels that become channels, and go back', async () => {
    const memory = allocate(1 << 16, (await openDevice('cuda-sim')).native);
    for (const { channels, extent, block, pad, deep, blocks, dtype, channelsLast } of IN_BLOCKS) {
      const [[h, w], [bh, bw], [rows, columns]] = [extent, block, blocks];
      const pads = { padH: pad, padW: pad };
      const attributes = { blockH: bh, blockW: bw };
      let end = 0;
      const images = (type: 'f32' | 'bf16' | 'f16', last: boolean, ...shape: number[]) => {
        const tensor = { memory: 0, offset: end, shape, dtype: type, channelsLast: last };
        end += Math.ceil((count(shape) * 4) / 64) * 64;
        return tensor;
      };
      const flat = [2, channels, h, w];
      const tensors = [
        images('f32', false, ...flat),
        images(dtype, channelsLast, 2, deep, rows, columns),
        images('f32', false, 2, deep, rows, columns),
        images('f32', false, ...flat),
        images('bf16', true, ...flat),
        images(dtype, channelsLast, 2, deep, rows, columns),
        images('f32', false, 2, deep, rows, columns),
      ];
      const call = (kernel: string, from: number, to: number, given = {}) => {
        return { kernel, label: 'step', inputs: [from], outputs: [to], attributes: given };
      };
      const steps = [
        call('space_to_depth', 0, 1, { ...attributes, ...pads }),
        call('convert', 1, 2),
        call('convert', 0, 4),
        call('space_to_depth', 4, 5, { ...attributes, ...pads }),
        call('convert', 5, 6),
        ...(h + pad <= rows * bh && w + pad <= columns * bw
          ? [call('depth_to_space', 1, 3, { ...attributes, ...pads })]
          : [call('convert', 0, 3)]),
      ];
      const x = tensorOf(flat, (i) => (i % 100) + 1);
      memory.write(0, x.data, 0, x.data.length);
      const plan = await prepare({ memories: [memory], tensors, steps, threads: 1 });
      const [got, back, other] = (await plan.run([2, 3, 6], false))!.results;
      plan.dispose();
      const want = tensorOf([2, deep, rows, columns], (i) => {
        const [column, row, channel] = [
          i % columns,
          Math.floor(i / columns) % rows,
          Math.floor(i / columns / rows) % deep,
        ];
        const c = Math.floor(channel / bh / bw);
        const [y, px] = [row * bh + (Math.floor(channel / bw) % bh) - pad, column * bw + (channel % bw) - pad];
        const image = Math.floor(i / columns / rows / deep);
        const inside = c < channels && y >= 0 && y < h && px >= 0 && px < w;
        return inside ? x.data[((image * channels + c) * h + y) * w + px]! : 0;
      });
      assert.deepEqual(got, want.data);
      assert.deepEqual(other, want.data);
      assert.deepEqual(back, x.data);
    }
    memory.dispose();
  });

  it('whose pixels do not fit into blocks are refused', async () => {
    const memory = allocate(1 << 12, (await openDevice('cuda-sim')).native);
    const plan = async (
      kernel: string,
      [from, to]: readonly (readonly number[])[],
      [blockH, blockW, padH, padW]: readonly number[],
    ): Promise<void> => {
      const tensors = [from!, to!].map((shape, i) => {
        return { memory: 0, offset: 2048 * i, shape, dtype: 'f32' as const, channelsLast: false };
      });
      const attributes = { blockH: blockH!, blockW: blockW!, padH: padH!, padW: padW! };
      const steps = [{ kernel, label: 'step', inputs: [0], outputs: [1], attributes }];
      (await prepare({ memories: [memory], tensors, steps, threads: 1 })).dispose();
    };
    const [images, blocks] = [
      [1, 3, 5, 5],
      [1, 16, 3, 3],
    ];
    await plan('space_to_depth', [images, blocks], [2, 2, 0, 0]);
    await plan('depth_to_space', [blocks, images], [2, 2, 1, 1]);
    await assert.rejects(plan('space_to_depth', [images, blocks], [3, 2, 0, 0]), /a channel for every pixel/);
    await assert.rejects(plan('space_to_depth', [images, blocks], [2 ** 30, 2 ** 30, 0, 0]), /a channel for every/);
    await assert.rejects(plan('space_to_depth', [images, blocks], [0, 2, 0, 0]), /a channel for every pixel/);
    await assert.rejects(plan('space_to_depth', [images, blocks], [2, 2, -1, 0]), /padding within the blocks/);
    await assert.rejects(plan('space_to_depth', [images, blocks], [2, 2, 0, 7]), /padding within the blocks/);
    await assert.rejects(plan('space_to_depth', [images, [2, 16, 3, 3]], [2, 2, 0, 0]), /as many images/);
    await assert.rejects(plan('depth_to_space', [blocks, images], [2, 2, 2, 0]), /a block for every pixel/);
    memory.dispose();
  });
});
