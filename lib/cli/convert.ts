import type { Command } from 'commander';
import { exportNet, toCaffemodel, writeCaffemodel } from '../caffe/index.js';
import { fitsFloat32, fromTensor, toTensor } from '../formats/elements.js';
import { formatOf, openTensors, TENSOR_FILES, writeTensors } from '../formats/files.js';
import { inMemory, type TensorSet } from '../formats/tensors.js';
import { writeOnnx } from '../onnx/index.js';
import { BadUsage, print, printJson, type SharedOptions } from './command.js';
import { openNet } from '../nets/open.js';

interface ConvertOptions extends SharedOptions {
  readonly model?: string;
  readonly float32?: boolean;
}

/** `cortado convert`: the same tensors in another format. */
export function register(command: Command): void {
  command
    .argument('<from>', `a file that ends in ${TENSOR_FILES.join(', ')}`)
    .argument('<to>', 'the file to write, with one of these endings')
    .option('--model <net>', 'the net that the weights belong to: names them, and makes an .onnx file a whole net')
    .option('--float32', 'turn half, bfloat16, 8-bit floats and small whole numbers into float32, which holds them all')
    .action(convert);
}

async function convert(from: string, to: string, options: ConvertOptions): Promise<void> {
  for (const [what, path] of Object.entries({ from, to }))
    if (!formatOf(path))
      throw new BadUsage(`<${what}>: expected a name that ends in ${TENSOR_FILES.join(', ')}, got "${path}"`);
  const tensors =
    options.model === undefined ? await convertTensors(from, to, options) : await convertNet(from, to, options.model);
  if (options.json) printJson({ from, to, tensors });
  else print(`${tensors} tensors in ${to}`);
}

async function convertTensors(from: string, to: string, { float32 }: ConvertOptions): Promise<number> {
  await using source = await openTensors(from);
  await writeTensors(to, float32 ? widened(source) : source);
  return source.tensors.size;
}

/** The same set with small numbers as float32, turned when they are read. */
function widened(set: TensorSet): TensorSet {
  const tensors = [...set.tensors].map(([name, { dtype, shape }]) => {
    return [name, { dtype: fitsFloat32(dtype) ? ('float32' as const) : dtype, shape }] as const;
  });
  return {
    ...set,
    tensors: new Map(tensors),
    async read(name) {
      const raw = await set.read(name);
      if (!fitsFloat32(raw.dtype)) return raw;
      const { data, shape } = toTensor(raw, name);
      return fromTensor({ data: data instanceof Float32Array ? data : Float32Array.from(data), shape });
    },
  };
}

async function convertNet(from: string, to: string, model: string): Promise<number> {
  const { graph, weights } = await openNet({ model, weights: from });
  const kind = formatOf(to)?.name;
  if (kind === 'onnx') await writeOnnx(to, graph, weights);
  else if (kind === 'caffemodel') await writeCaffemodel(to, toCaffemodel(exportNet(graph), weights));
  else await writeTensors(to, inMemory(weights));
  return Object.keys(weights).length;
}
