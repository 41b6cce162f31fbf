import { Option, type Command } from 'commander';
import { writeBinaryproto } from '../caffe/binaryproto.js';
import { computeMean } from '../data/mean.js';
import { KINDS, openDataset, type DatasetKind } from '../data/open.js';
import { writeNpy } from '../npy.js';
import type { Tensor } from '../tensor.js';
import { BadUsage, extents, positiveInteger, print, printJson, type SharedOptions } from './command.js';
import { interruptible } from './interrupt.js';
import { showProgress } from './progress.js';

interface MeanWords extends SharedOptions {
  readonly size?: readonly string[];
  readonly gray?: boolean;
  readonly kind?: DatasetKind;
  readonly subset?: 'train' | 'test';
  readonly root?: string;
  readonly workers?: number;
}

/** `cortado mean`: the mean picture of a dataset. */
export function register(command: Command): void {
  command
    .argument('<data>', 'folder of classes, list, LMDB, LevelDB, HDF5, CIFAR, MNIST or WebDataset')
    .argument('<out>', 'file to write: .binaryproto or .npy')
    .option('--size <n...>', 'one number: the shorter side, of which the middle square is taken; two: height and width')
    .option('--gray', 'of one plane instead of blue, green and red')
    .addOption(new Option('--kind <kind>', 'what the data is (default: found out)').choices(KINDS))
    .addOption(new Option('--subset <part>', 'of data with both').choices(['train', 'test']))
    .option('--root <folder>', "where the paths of a list begin (default: the list's folder)")
    .option('--workers <n>', 'threads (default: the cores less one)', positiveInteger)
    .action(meanCommand);
}

async function meanCommand(data: string, out: string, words: MeanWords): Promise<void> {
  if (!/\.(binaryproto|npy)$/.test(out)) throw new BadUsage(`expected a file .binaryproto or .npy, got '${out}'`);
  const { kind, subset, root, workers, gray } = words;
  const progress = showProgress('pictures');
  const skipped: string[] = [];
  const mean = await interruptible(async (signal) => {
    const dataset = await openDataset(data, {
      ...(words.size && sizes(words.size)),
      ...(gray && { channelOrder: 'grey' }),
      ...{ ...(kind && { kind }), ...(subset && { subset }), ...(root !== undefined && { root }), signal },
    });
    return computeMean(dataset, {
      ...(workers !== undefined && { workers }),
      signal,
      onProgress: (done, total) => progress.update(done, total),
      onBad({ name, reason }) {
        skipped.push(`${name}: ${reason}`);
        progress.note(`cortado: left out: ${name}: ${reason}`);
      },
    });
  }).finally(() => progress.stop());
  await write(out, mean);
  const channels = channelMeans(mean);
  if (words.json) printJson({ out, shape: mean.shape, channels, skipped });
  else
    print(`${out}: ${mean.shape.join(' x ')}, means of the channels ${channels.map((m) => m.toFixed(4)).join(', ')}`);
}

/** As Caffe writes it: num, channels, height, width. */
async function write(out: string, mean: Tensor): Promise<void> {
  if (out.endsWith('.npy')) await writeNpy(out, mean);
  else await writeBinaryproto(out, { ...mean, shape: [1, ...mean.shape], legacy: true });
}

function channelMeans({ data, shape }: Tensor): number[] {
  const size = data.length / shape[0]!;
  return Array.from({ length: shape[0]! }, (_, c) => {
    const plane = data.subarray(c * size, (c + 1) * size);
    return plane.reduce((sum, value) => sum + value, 0) / size;
  });
}

function sizes(words: readonly string[]): { resize: number | readonly [number, number]; crop?: number } {
  const resize = extents('--size', words);
  return typeof resize === 'number' ? { resize, crop: resize } : { resize };
}
