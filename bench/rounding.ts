import { compile, conv2d, dense, graph, input, Random, type Graph, type Tensor, type Value } from '../lib/index.js';
import type { Precision } from '../lib/passes/index.js';
import { align } from '../lib/table.js';

interface Layer {
  readonly name: string;
  readonly input: readonly number[];
  readonly build: (x: Value) => Value;
}

const fc = (name: string, inputs: number, units: number): Layer => ({
  name,
  input: [inputs],
  build: (x) => dense(x, { name: 'layer', units, bias: false }),
});

/** Layers that other precisions change: a convolution that Winograd's algorithm does not take, and AlexNet's dense layers. */
const LAYERS: readonly Layer[] = [
  {
    name: 'conv 1x1',
    input: [256, 13, 13],
    build: (x) => conv2d(x, { name: 'layer', filters: 64, kernel: 1, bias: false }),
  },
  fc('fc6', 9216, 4096),
  fc('fc7', 4096, 4096),
  fc('fc8', 4096, 1000),
];

const PASSES = ['forward', 'dgrad', 'wgrad'] as const;
/** What a precision changes, and how many images it takes: few, or more. */
const COLUMNS: readonly { readonly precision: Precision; readonly batch: number }[] = [
  { precision: 'bfloat16', batch: 8 },
  { precision: 'bfloat16', batch: 1 },
  { precision: 'int8', batch: 1 },
];

/** Root mean square error of each pass beside float32, relative to the root mean square of the result. */
export async function formatRounding(): Promise<string> {
  const header = ['layer', 'pass', ...COLUMNS.map(({ precision, batch }) => `${precision}, ${batch} images`)];
  const rows: string[][] = [];
  for (const layer of LAYERS) {
    const net = graph({ x: input(layer.input) }, ({ x }) => ({ y: layer.build(x) }));
    const errors: string[][] = [];
    for (const { precision, batch } of COLUMNS) {
      const [got, want] = [await results(net, batch, precision), await results(net, batch, 'float32')];
      errors.push(want.map((tensor, i) => error(got[i]!.data, tensor.data).toExponential(1)));
    }
    PASSES.forEach((pass, i) => rows.push([layer.name, pass, ...errors.map((column) => column[i]!)]));
  }
  return align([header, ...rows], 2);
}

async function results(net: Graph<'x', 'y'>, batch: number, precision: Precision): Promise<Tensor[]> {
  const random = new Random(1);
  const uniform = (length: number, least = -1): Float32Array =>
    Float32Array.from({ length }, () => Math.max(least, random.uniform(-1, 1)));
  const model = await compile(net, { batch, precision });
  try {
    await model.load({ 'layer.weight': uniform(net.value('layer.weight').shape.reduce((a, b) => a * b)) });
    // What a ReLU leaves.
    const x = uniform(
      net.inputs.x.shape.reduce((a, b) => a * b, batch),
      0,
    );
    const dy = uniform(net.outputs.y.shape.reduce((a, b) => a * b, batch));
    const of = ['x', 'layer.weight'];
    const { y } = await model.forward({ x });
    const { gradients } = await model.backward({ x }, { of, from: { [net.outputs.y.name]: dy } });
    return [y, gradients.x!, gradients['layer.weight']!];
  } finally {
    model.dispose();
  }
}

function error(got: Float32Array, want: Float32Array): number {
  let [off, all] = [0, 0];
  want.forEach((v, i) => {
    off += (got[i]! - v) ** 2;
    all += v * v;
  });
  return Math.sqrt(off / all);
}
