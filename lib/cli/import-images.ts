import { Option, type Command } from 'commander';
import { ENCODINGS, type Encoding } from '../data/import-record.js';
import { importImages, type ImportOptions } from '../data/import.js';
import { extents, positiveInteger, print, printJson, type SharedOptions } from './command.js';
import { interruptible } from './interrupt.js';
import { showProgress } from './progress.js';

interface ImportWords extends SharedOptions {
  readonly root?: string;
  readonly resize?: readonly string[];
  readonly gray?: boolean;
  readonly encoded?: Encoding | true;
  readonly shuffle?: boolean;
  readonly seed: number;
  readonly overwrite?: boolean;
}

/** `cortado import-images`: makes a database of pictures that Caffe reads too. */
export function register(command: Command): void {
  command
    .argument('<source>', 'folder with a folder of pictures for each class, or a list: a path and a label on each line')
    .argument('<out>', 'folder of the LMDB')
    .option('--root <folder>', "where the paths of a list begin (default: the list's folder)")
    .option('--resize <n...>', 'one number: the shorter side; two: height and width (default: as they are)')
    .option('--gray', 'store one plane instead of blue, green and red')
    .addOption(
      new Option(
        '--encoded [type]',
        'store encoded pictures instead of pixels: the files themselves, or jpg, png, webp',
      ).choices(ENCODINGS),
    )
    .option('--shuffle', 'in a random order')
    .option('--seed <n>', 'of the order', positiveInteger, 1)
    .option('--overwrite', 'replace an LMDB that is there')
    .action(importCommand);
}

async function importCommand(source: string, out: string, words: ImportWords): Promise<void> {
  const progress = showProgress('pictures');
  const skipped: string[] = [];
  const options: ImportOptions = {
    ...settings(words),
    onProgress: (done, total) => progress.update(done, total),
    onSkipped(error) {
      skipped.push(error.message);
      progress.note(`cortado: left out: ${error.message}`);
    },
  };
  const made = await interruptible((signal) => importImages(source, out, { ...options, signal })).finally(() =>
    progress.stop(),
  );
  if (words.json) printJson({ out, records: made.records, classes: made.classes ?? null, skipped });
  else print(`${made.records} pictures in ${out}${skipped.length > 0 ? `, ${skipped.length} left out` : ''}`);
}

function settings(words: ImportWords): ImportOptions {
  return {
    grey: words.gray ?? false,
    overwrite: words.overwrite ?? false,
    ...(words.root !== undefined && { root: words.root }),
    ...(words.resize && { resize: extents('--resize', words.resize) }),
    ...(words.encoded && { encoding: words.encoded === true ? 'asis' : words.encoded }),
    ...(words.shuffle && { shuffle: words.seed }),
  };
}
