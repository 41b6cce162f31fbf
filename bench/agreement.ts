/**
 * How far a net's answers move when it computes in bfloat16 or with weights of 8 bits:
 * npx tsx bench/agreement.ts PICTURES --model squeezenet --weights squeezenet_v1.0.caffemodel.gz
 */
import { Command } from 'commander';
import { glob } from 'tinyglobby';
import { UsageError } from '../lib/errors.js';
import { CPU_PRECISIONS, type Precision } from '../lib/passes/index.js';
import { align } from '../lib/table.js';
import { describeNet, type DescribedNet } from '../lib/tasks/description.js';
import { PictureNet, readyModel } from '../lib/tasks/picture-net.js';
import { answerOf, isNormalized, pictureSpec } from '../lib/tasks/picture-spec.js';

interface Options {
  readonly model: string;
  readonly weights?: string;
  readonly batch: number;
  readonly limit: number;
}

const program = new Command('agreement')
  .description('Compares the answers of a net in every precision with those in float32.')
  .argument('<pictures>', 'a folder of pictures, at any depth')
  .requiredOption('--model <net>', 'a prototxt or ONNX file, or the name of a ready-made model')
  .option('--weights <file>', 'weights of any format; default: those that come with Cortado')
  .option('--batch <n>', 'pictures of a run: up to 4, dense layers read weights of 8 bits', Number, 4)
  .option('--limit <n>', 'pictures, spread evenly over those there are', Number, Infinity);
program.parse();
await main(program.args[0]!, program.opts<Options>());

async function main(folder: string, { model, weights, batch, limit }: Options): Promise<void> {
  const found = (await glob('**/*.{jpg,jpeg,png,JPG,JPEG,PNG}', { cwd: folder, absolute: true })).sort();
  const count = Math.min(limit, found.length);
  if (count === 0) throw new UsageError(`${folder}: expected pictures, got none`);
  const paths = Array.from({ length: count }, (_, i) => found[Math.floor((i * found.length) / count)]!);
  const net = await describeNet(model, weights === undefined ? {} : { weights });
  const [exact, ...others] = await inTurn(CPU_PRECISIONS, (precision) => logitsOf(net, paths, batch, precision));
  const rows = others.map((got, i) => [CPU_PRECISIONS[i + 1]!, ...compare(exact!, got)]);
  console.log(`${model}, ${count} pictures, ${batch} in a run; logits against those in float32\n`);
  console.log(align([['precision', 'same first class', 'error (rms)', 'largest error'], ...rows], 1));
}

async function inTurn<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}

/** What the softmax reads, for every picture. */
async function logitsOf(
  net: DescribedNet,
  paths: readonly string[],
  batch: number,
  precision: Precision,
): Promise<Float32Array[]> {
  const model = await readyModel(net, { batch, precision });
  const pictures = new PictureNet(model, pictureSpec(net.graph, net.picture));
  const answer = answerOf(net.graph);
  const { source } = answer;
  const logits =
    isNormalized(answer) && typeof source === 'object' && 'node' in source ? source.node.inputs[0]! : answer;
  try {
    const groups = Array.from({ length: Math.ceil(paths.length / batch) }, (_, i) =>
      paths.slice(i * batch, (i + 1) * batch),
    );
    const looked = await inTurn(groups, (group) => Promise.all(group.map((path) => pictures.look(path, logits.name))));
    return looked.flat().map(({ data }) => data);
  } finally {
    pictures.close();
    model.dispose();
  }
}

/** Pictures with the same largest logit; the error's root mean square and largest magnitude beside the logits' own. */
function compare(exact: readonly Float32Array[], got: readonly Float32Array[]): string[] {
  const first = (logits: Float32Array): number => logits.indexOf(Math.max(...logits));
  const same = exact.filter((logits, i) => first(logits) === first(got[i]!)).length;
  const [all, errors] = [exact.flatMap((v) => [...v]), exact.flatMap((v, i) => [...v.map((x, j) => got[i]![j]! - x)])];
  const rms = (values: readonly number[]): number =>
    Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);
  const most = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
  return [
    `${same} of ${exact.length} (${percent(same / exact.length)})`,
    percent(rms(errors) / rms(all)),
    percent(most(errors) / most(all)),
  ];
}
