import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { encodeCaffemodel } from '../../lib/caffe/caffemodel.js';
import {
  exportNet,
  formatNet,
  importNet,
  matchWeights,
  readCaffemodel,
  readNet,
  readNetText,
  toCaffemodel,
} from '../../lib/caffe/index.js';
import { GraphError, UsageError } from '../../lib/errors.js';
import { graph, input, type Graph, type Value } from '../../lib/graph.js';
import { alexnet, alexnetOwt, caffenet, cifar10Full, cifar10Quick, lenet, squeezenet } from '../../lib/models/index.js';
import { tanh } from '../../lib/ops/activations.js';
import { relu, reluOp } from '../../lib/ops/relu.js';
import { decimal } from '../../lib/protobuf/float32.js';
import { fixtures } from '../support/fixtures.js';

/** What a graph computes: every node with its op, attributes, inputs and parameters, but not what its values are called. */
function computation(graph: Graph): unknown {
  const { nodes } = graph.at(graph.batch);
  const place = new Map<Value, string>();
  for (const [name, value] of Object.entries(graph.inputs)) place.set(value, name);
  return nodes.map(({ node, attributes, outputs }) => {
    node.outputs.forEach((value, i) => place.set(value, `${node.name}[${i}]`));
    const inputs = node.inputs.map((value) => place.get(value) ?? JSON.stringify(value.source, short));
    return { op: node.op.name, name: node.name, attributes, inputs, lossWeight: node.lossWeight, outputs };
  });
}

/** Files hold 32-bit numbers. */
function short(_: string, value: unknown): unknown {
  return typeof value === 'number' ? decimal(value) : value;
}

describe('models and files', () => {
  it('AlexNet of the file is the AlexNet of the model', async () => {
    const net = await readNetText(ALEXNET, { shapes: { data: [3, 227, 227] } });
    const model = alexnet({ batch: 10 });
    const own = (computation(model) as { op: string }[]).filter(({ op }) => op !== 'softmax');
    assert.deepEqual(computation(net.graph), own);
  });

  const models: Record<string, Graph> = {
    alexnet: alexnet(),
    caffenet: caffenet(),
    alexnetOwt: alexnetOwt(),
    cifar10Quick: cifar10Quick({ batch: 4 }),
    cifar10Full: cifar10Full(),
    lenet: lenet(),
    squeezenet: squeezenet(),
  };
  for (const [name, graph] of Object.entries(models)) {
    it(`${name} comes back from its own prototxt`, async () => {
      const { definition } = exportNet(graph);
      const back = await readNetText(formatNet(definition));
      assert.deepEqual(computation(back.graph), computation(graph));
      const deployed = await readNetText(formatNet(exportNet(graph, { outputs: ['prob'], batch: 3 }).definition));
      assert.deepEqual(
        [Object.keys(deployed.graph.inputs), Object.keys(deployed.graph.outputs), deployed.graph.batch],
        [['data'], ['prob'], 3],
      );
    });
  }

  it('layers of every reference net come back from their own prototxt', async function () {
    const folder = fixtures('layers');
    if (!folder) return this.skip();
    for (const name of readdirSync(folder).filter((each) => !each.includes('.'))) {
      const { graph } = await readNet(join(folder, name, 'net.prototxt'), { phase: 'TRAIN' });
      const text = formatNet(exportNet(graph).definition);
      const back = await readNetText(text, { file: name });
      // Two convolutions of one layer come back as two layers: their names differ.
      if (name !== 'conv_two_bottoms')
        assert.deepEqual(computation(back.graph), computation(graph), `${name}\n${text}`);
    }
  });

  it('weights of any values come back through a caffemodel', async () => {
    const graph = models.cifar10Quick!;
    const exported = exportNet(graph);
    await fc.assert(
      fc.asyncProperty(fc.float({ noNaN: true }), async (value) => {
        const weights = Object.fromEntries(
          graph.parameters.map(({ name, shape }) => [
            name,
            { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value) },
          ]),
        );
        const file = await readCaffemodel(Buffer.concat(encodeCaffemodel(toCaffemodel(exported, weights))));
        const net = importNet(exported.definition);
        assert.deepEqual(matchWeights(net, file), weights);
      }),
      { numRuns: 3 },
    );
  });
});

describe('exporting a graph', () => {
  const net = graph({ x: input([4]) }, ({ x }) => {
    const y = relu(relu(x, { name: 'a' }), { name: 'b' });
    return { y, z: tanh(y, { name: 'c' }) };
  }) as unknown as Graph;

  it('works in place only where nothing else reads the bottom', () => {
    const text = formatNet(exportNet(net, { batch: 7 }).definition);
    const tops = [...text.matchAll(/top: "(.*)"/g)].map((match) => match[1]);
    // a keeps the fed blob as it is; b may overwrite a; c must leave b, which is a result.
    assert.deepEqual(tops, ['x', 'a', 'a', 'c']);
    assert.match(text, /dim: 7\n {6}dim: 4\n/);
  });

  it('leaves out what the wanted outputs do not need', () => {
    assert.deepEqual(
      exportNet(net, { outputs: ['y'] }).layers.map(({ name }) => name),
      ['data', 'a', 'b'],
    );
    assert.throws(
      () => exportNet(net, { outputs: ['w'] }),
      (error: Error) => error instanceof UsageError && error.message.includes('among y, z, got "w"'),
    );
  });

  it('names ops that Caffe lacks', () => {
    const op = { ...reluOp, name: 'mish' };
    const own = graph({ x: input([4]) }, ({ x }, builder) => ({ y: builder.add(op, [x], { name: 'm' })[0]! }));
    assert.throws(
      () => exportNet(own),
      (error: Error) => error instanceof GraphError && error.message.includes('m: Caffe has no layer like mish'),
    );
  });
});

const conv = (n: number, bottom: string, settings: string, bias: number): string => `
  layer { name: "conv${n}" type: "Convolution" bottom: "${bottom}" top: "conv${n}"
    param { lr_mult: 1 decay_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
    convolution_param { ${settings} weight_filler { type: "gaussian" std: 0.01 } bias_filler { type: "constant" value: ${bias} } } }
  layer { name: "relu${n}" type: "ReLU" bottom: "conv${n}" top: "conv${n}" }`;
const normPool = (n: number): string => `
  layer { name: "norm${n}" type: "LRN" bottom: "conv${n}" top: "norm${n}" lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 } }
  layer { name: "pool${n}" type: "Pooling" bottom: "norm${n}" top: "pool${n}" pooling_param { pool: MAX kernel_size: 3 stride: 2 } }`;
const dense = (n: number, bottom: string, units: number, std: number, bias: number): string => `
  layer { name: "fc${n}" type: "InnerProduct" bottom: "${bottom}" top: "fc${n}"
    param { lr_mult: 1 decay_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
    inner_product_param { num_output: ${units} weight_filler { type: "gaussian" std: ${std} } bias_filler { type: "constant" value: ${bias} } } }`;
const relax = (n: number): string => `
  layer { name: "relu${n}" type: "ReLU" bottom: "fc${n}" top: "fc${n}" }
  layer { name: "drop${n}" type: "Dropout" bottom: "fc${n}" top: "fc${n}" dropout_param { dropout_ratio: 0.5 } }`;

/** Krizhevsky's net in Caffe's dialect, as bvlc_alexnet sets it up. */
const ALEXNET = `
  name: "AlexNet"
  layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN } data_param { batch_size: 256 } }
  layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST } data_param { batch_size: 10 } }
  ${conv(1, 'data', 'num_output: 96 kernel_size: 11 stride: 4', 0)} ${normPool(1)}
  ${conv(2, 'pool1', 'num_output: 256 pad: 2 kernel_size: 5 group: 2', 0.1)} ${normPool(2)}
  ${conv(3, 'pool2', 'num_output: 384 pad: 1 kernel_size: 3', 0)}
  ${conv(4, 'conv3', 'num_output: 384 pad: 1 kernel_size: 3 group: 2', 0.1)}
  ${conv(5, 'conv4', 'num_output: 256 pad: 1 kernel_size: 3 group: 2', 0.1)}
  layer { name: "pool5" type: "Pooling" bottom: "conv5" top: "pool5" pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
  ${dense(6, 'pool5', 4096, 0.005, 0.1)} ${relax(6)} ${dense(7, 'fc6', 4096, 0.005, 0.1)} ${relax(7)}
  ${dense(8, 'fc7', 1000, 0.01, 0)}
  layer { name: "accuracy" type: "Accuracy" bottom: "fc8" bottom: "label" top: "accuracy" include { phase: TEST } }
  layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc8" bottom: "label" top: "loss" }`;
