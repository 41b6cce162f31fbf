import assert from 'node:assert/strict';
import { join } from 'node:path';
import fc from 'fast-check';
import {
  exportNet,
  formatNet,
  importNet,
  matchWeights,
  parseNet,
  readCaffemodel,
  readNet,
  type ImportedNet,
} from '../../lib/caffe/index.js';
import { READERS } from '../../lib/caffe/import/table.js';
import { LayerParameter } from '../../lib/caffe/schema.js';
import { CortadoError, FormatError, GraphError, ShapeError } from '../../lib/errors.js';
import { messageOf } from './support.js';
import { realData } from '../support/cases.js';

function build(text: string, options: Parameters<typeof importNet>[1] = {}): ImportedNet {
  return importNet(parseNet(text, 'net.prototxt'), options);
}

const INPUT = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [2, 3, 8, 8] } } }';

describe('importing a net', () => {
  it('gives in-place layers a value each', () => {
    const { blobs, layers, graph } = build(`${INPUT}
      layer { name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param { num_output: 4 kernel_size: 3 } }
      layer { name: "r" type: "ReLU" bottom: "c" top: "c" }
      layer { name: "d" type: "Dropout" bottom: "c" top: "c" }`);
    assert.equal(blobs.get('c')?.first, layers[1]?.tops[0]);
    assert.equal(blobs.get('c')?.last, layers[3]?.tops[0]);
    assert.deepEqual(
      layers.map(({ tops }) => tops[0]?.name),
      ['x', 'c', 'r', 'd'],
    );
    assert.deepEqual(Object.entries(graph.outputs), [['c', layers[3]?.tops[0]]]);
    assert.equal(graph.batch, 2);
    assert.deepEqual(
      layers[1]?.params.map((value) => [value.name, value.shape]),
      [
        ['c.weight', [4, 3, 3, 3]],
        ['c.bias', [4]],
      ],
    );
  });

  it('lets several layers read a blob, and names outputs by blob', () => {
    const { graph } = build(`${INPUT}
      layer { name: "a" type: "ReLU" bottom: "x" top: "left" }
      layer { name: "b" type: "TanH" bottom: "left" top: "t" }
      layer { name: "c" type: "Sigmoid" bottom: "left" top: "s" }
      layer { name: "loss" type: "EuclideanLoss" bottom: "t" bottom: "s" loss_weight: 0.5 }
      layer { name: "e" type: "Eltwise" bottom: "t" bottom: "left" top: "sum" }`);
    assert.deepEqual(Object.keys(graph.outputs), ['loss', 'sum']);
    assert.deepEqual(
      graph.nodes.map((node) => node.lossWeight),
      [0, 0, 0, 0.5, 0],
    );
  });

  it('chooses layers by phase and stage', () => {
    const text = `${INPUT}
      layer { name: "a" type: "ReLU" bottom: "x" top: "y" include { phase: TRAIN } }
      layer { name: "b" type: "TanH" bottom: "x" top: "y" include { phase: TEST } }
      layer { name: "c" type: "AbsVal" bottom: "y" top: "z" include { stage: "extra" } }`;
    const names = (options?: Parameters<typeof importNet>[1]): string[] =>
      build(text, options).graph.nodes.map((node) => node.name);
    assert.deepEqual(names(), ['b']);
    assert.deepEqual(names({ phase: 'TRAIN' }), ['a']);
    assert.deepEqual(names({ stages: ['extra'] }), ['b', 'c']);
  });

  it('shares parameters by name, with the multipliers of the owner', () => {
    const conv = (name: string, from: string, param: string): string =>
      `layer { name: "${name}" type: "Convolution" bottom: "${from}" top: "${name}" ${param} convolution_param { num_output: 3 kernel_size: 3 pad: 1 } }`;
    const { layers, graph } = build(
      INPUT +
        conv('a', 'x', 'param { name: "w" lr_mult: 3 } param { lr_mult: 2 decay_mult: 0 }') +
        conv('b', 'a', 'param { name: "w" }'),
    );
    const [, a, b] = layers;
    assert.equal(a?.params[0], b?.params[0]);
    assert.notEqual(a?.params[1], b?.params[1]);
    assert.deepEqual(
      graph.parameters.map(({ name, source }) => [name, source]),
      [
        ['a.weight', { parameter: { filler: { type: 'constant', value: 0 }, rate: 3, decay: 1, learned: true } }],
        ['a.bias', { parameter: { filler: { type: 'constant', value: 0 }, rate: 2, decay: 0, learned: true } }],
        ['b.bias', { parameter: { filler: { type: 'constant', value: 0 }, rate: 1, decay: 1, learned: true } }],
      ],
    );
    const pair = (first: string, second: string): ImportedNet =>
      build(INPUT + conv('a', 'x', first) + conv('b', 'a', second));
    const { source } = pair('param { name: "w" }', 'param { name: "w" lr_mult: 2 }').layers[1]!.params[0]!;
    assert.equal(typeof source === 'object' && 'parameter' in source && source.parameter.rate, 2);
    assert.throws(
      () => pair('param { name: "w" lr_mult: 1 }', 'param { name: "w" lr_mult: 2 }'),
      /layer "b": parameter "w" has other multipliers here than in an earlier layer/,
    );
  });

  it('stops gradients where propagate_down says so', () => {
    const { graph } = build(`${INPUT} layer { name: "a" type: "ReLU" bottom: "x" top: "y" propagate_down: false }`);
    assert.deepEqual(
      graph.nodes.map((node) => node.op.name),
      ['stopGradient', 'relu'],
    );
    assert.match(formatNet(exportNet(graph).definition), /propagate_down: false/);
  });

  it('makes inputs of data layers', () => {
    const data = (type: string, settings: string): string =>
      `layer { name: "d" type: "${type}" top: "data" top: "label" ${settings} }`;
    const shapes = (text: string, options?: Parameters<typeof importNet>[1]): unknown =>
      Object.fromEntries(Object.entries(build(text, options).graph.inputs).map(([name, value]) => [name, value.shape]));
    const crop = data('Data', 'data_param { batch_size: 5 } transform_param { crop_size: 7 }');
    assert.deepEqual(shapes(crop), { data: [5, 3, 7, 7], label: [5] });
    assert.deepEqual(shapes(crop, { batch: 2 }), { data: [2, 3, 7, 7], label: [2] });
    assert.deepEqual(shapes(data('Data', 'data_param { batch_size: 5 }'), { shapes: { data: [1, 28, 28] } }), {
      data: [5, 1, 28, 28],
      label: [5],
    });
    assert.deepEqual(
      shapes(data('ImageData', 'image_data_param { batch_size: 4 new_height: 6 new_width: 8 is_color: false }')),
      { data: [4, 1, 6, 8], label: [4] },
    );
    assert.deepEqual(shapes(data('MemoryData', 'memory_data_param { batch_size: 3 channels: 1 height: 2 width: 4 }')), {
      data: [3, 1, 2, 4],
      label: [3],
    });
    assert.deepEqual(
      shapes(data('DummyData', 'dummy_data_param { num: 2 num: 2 channels: [3, 1] height: [4, 1] width: [5, 1] }')),
      { data: [2, 3, 4, 5], label: [2, 1, 1, 1] },
    );
    assert.deepEqual(
      shapes(data('HDF5Data', 'hdf5_data_param { batch_size: 6 }'), { shapes: { data: [2], label: [] } }),
      { data: [6, 2], label: [6] },
    );
    assert.throws(
      () => build(data('Data', '')),
      /net\.prototxt:1:1: layer "d": the extents of "data" are not in the file/,
    );
    assert.throws(
      () => build(crop, { shapes: { dat: [1] } }),
      /expected the names of inputs \(data, label\), got "dat"/,
    );
  });

  it('names what cannot be, with its line', () => {
    const refused = (text: string, message: RegExp): void =>
      assert.throws(
        () => build(`${INPUT}\n${text}`),
        (error: Error) => (error instanceof GraphError || error instanceof ShapeError) && message.test(error.message),
      );
    refused(
      'layer { name: "a" type: "Convolutoin" bottom: "x" top: "y" }',
      /^net\.prototxt:2:1: layer "a": type "Convolutoin" is not supported; did you mean Convolution\?$/,
    );
    refused(
      'layer { name: "a" type: "Python" bottom: "x" }',
      /^net\.prototxt:2:1: layer "a": type "Python" is not supported/,
    );
    refused('layer { name: "a" bottom: "x" }', /type "" is not supported/);
    refused('layer { name: "a" type: "ReLU" bottom: "y" top: "z" }', /layer "a": reads "y", but no layer makes it/);
    refused(
      'layer { name: "a" type: "Eltwise" bottom: "x" bottom: "b" top: "a" }\nlayer { name: "b" type: "ReLU" bottom: "a" top: "b" }',
      /:2:1: layer "a": reads "b", but layer "b" makes it only later.*no cycles/,
    );
    refused(
      'layer { name: "a" type: "ReLU" bottom: "x" top: "y" }\nlayer { name: "b" type: "TanH" bottom: "x" top: "y" }',
      /:3:1: layer "b": makes "y", which another layer has made/,
    );
    refused('layer { name: "a" type: "ReLU" bottom: "x" bottom: "x" top: "y" }', /expected 1 bottoms, got 2/);
    refused('layer { name: "a" type: "ReLU" bottom: "x" top: "y" top: "z" }', /expected at most 1 tops, got 2/);
    refused(
      'layer { name: "a" type: "ReLU" bottom: "x" top: "y" param {} }',
      /expected at most 0 param entries, got 1/,
    );
    refused(
      'layer { name: "a" type: "Convolution" bottom: "x" top: "y" convolution_param { num_output: 4 } }',
      /expected kernel_size/,
    );
    refused('layer { name: "a" type: "Convolution" bottom: "x" top: "y" }', /num_output/);
    refused(
      'layer { name: "a" type: "Convolution" bottom: "x" top: "y" convolution_param { num_output: 4 kernel_size: 9 } }',
      /^net\.prototxt:2:1: a: expected a kernel/,
    );
    refused(
      'layer { name: "a" type: "Convolution" bottom: "x" top: "y" convolution_param { num_output: 4 kernel_h: 3 } }',
      /kernel_h and _w together|kernel_h/,
    );
    refused(
      'layer { name: "a" type: "Pooling" bottom: "x" top: "y" pooling_param { pool: STOCHASTIC kernel_size: 2 } }',
      /STOCHASTIC is not supported/,
    );
    refused(
      'layer { name: "a" type: "Pooling" bottom: "x" top: "y" pooling_param { global_pooling: true kernel_size: 2 } }',
      /no kernel with global_pooling/,
    );
    refused('layer { name: "a" type: "LRN" bottom: "x" top: "y" lrn_param { local_size: 4 } }', /odd localSize/);
    refused(INPUT, /"x" is made twice/);
    assert.throws(
      () =>
        build(
          `${INPUT} layer { name: "a" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 1 weight_filler { type: "magic" } } }`,
        ),
      (error: Error) => error instanceof FormatError && error.message.includes('got "magic"'),
    );
  });

  it('never fails with anything but an error of its own', () => {
    const types = fc.constantFrom(...READERS.keys(), 'Input', 'Data', 'DummyData', 'Python');
    const blobs = fc.array(fc.constantFrom('x', 'y', 'z', '__proto__', 'constructor', ''), { maxLength: 3 });
    const settings = fc.record({ type: types, bottom: blobs, top: blobs });
    const layer = fc
      .tuple(messageOf(LayerParameter), settings)
      .map(([message, given]) => ({ ...message, ...given, include: [], exclude: [], blobs: [] }));
    const base = parseNet(INPUT);
    let built = 0;
    fc.assert(
      fc.property(fc.array(layer, { maxLength: 3 }), (layers) => {
        try {
          built += importNet({ ...base, layer: [...base.layer, ...layers] }).layers.length;
        } catch (error) {
          assert(error instanceof CortadoError && error.code !== 'INTERNAL', String(error));
        }
      }),
      { numRuns: 200 },
    );
    assert(built > 0);
  });

  it('copes with layers of one name', () => {
    const { graph } = build(
      `${INPUT} layer { name: "a" type: "ReLU" bottom: "x" top: "y" } layer { name: "a" type: "ReLU" bottom: "y" top: "y" } layer { name: "x" type: "ReLU" bottom: "y" top: "z" }`,
    );
    assert.deepEqual(
      graph.nodes.map(({ name, outputs }) => [name, outputs[0]?.name]),
      [
        ['a', 'y'],
        ['a#2', 'a#2'],
        ['x#2', 'z'],
      ],
    );
  });
});

describe('weights', () => {
  const text = `${INPUT}
    layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 2 } }
    layer { name: "other" type: "InnerProduct" bottom: "ip" top: "o" inner_product_param { num_output: 1 bias_term: false } }`;
  const blob = (shape: number[], legacy = false) => ({
    shape,
    legacy,
    data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
  });
  const file = (...blobs: ReturnType<typeof blob>[]) => ({
    name: 'file',
    layers: [
      { name: 'gone', type: 'ReLU', blobs: [] },
      { name: 'ip', type: 'InnerProduct', blobs },
    ],
  });

  it('go to layers of the same name', () => {
    const net = build(text);
    assert.deepEqual(Object.keys(matchWeights(net, file(blob([2, 192]), blob([2])))), ['ip.weight', 'ip.bias']);
    const legacy = matchWeights(net, file(blob([1, 1, 2, 192], true), blob([1, 1, 1, 2], true)));
    assert.deepEqual(legacy['ip.weight']?.shape, [2, 192]);
  });

  it('that do not fit are refused', () => {
    const net = build(text);
    assert.throws(
      () => matchWeights(net, file(blob([192, 2]), blob([2]))),
      (error: Error) =>
        error instanceof ShapeError &&
        error.message.includes('layer "ip", blob 0: expected shape (2, 192), got (192, 2)'),
    );
    assert.throws(() => matchWeights(net, file(blob([2, 1, 1, 192], true), blob([2]))), ShapeError);
    assert.throws(
      () => matchWeights(net, file(blob([2, 192]))),
      (error: Error) => error instanceof FormatError && error.message.includes('expected 2 blobs, got 1'),
    );
  });

  it('of the real SqueezeNet fit its net, deployed and in training', async function () {
    const folder = realData('squeezenet');
    if (!folder) return this.skip();
    const weights = join(folder, 'squeezenet_v1.0.caffemodel.gz');
    const net = await readNet(join(folder, 'deploy.prototxt'), { weights });
    assert.equal(Object.keys(net.weights).length, 52);
    assert.deepEqual(Object.keys(net.graph.outputs), ['pool_final']);
    assert.equal(
      Object.keys(
        matchWeights(
          await readNet(join(folder, 'train_val.prototxt'), { phase: 'TRAIN' }),
          await readCaffemodel(weights),
        ),
      ).length,
      52,
    );
  });
});
