import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { filterNet } from '../../lib/caffe/phase.js';
import {
  formatText,
  parseNet,
  parseText,
  positionOf,
  readNetDefinition,
  readSolver,
} from '../../lib/caffe/prototxt.js';
import { NetParameter, type Net } from '../../lib/caffe/schema.js';
import { FormatError } from '../../lib/errors.js';
import { fixtures } from '../support/fixtures.js';

/** The text of a net in the form that the upgrade gives it. */
function upgraded(text: string, warn?: (message: string) => void): string {
  return formatText(NetParameter, parseNet(text, 'net.prototxt', warn));
}

/** The same text in the layout of the writer. */
function laidOut(text: string): string {
  return formatText(NetParameter, parseText(NetParameter, text));
}

describe('upgrades', () => {
  it('bring the first form of a net to the present one', () => {
    const old = `
      name: "v0" input: "data" input_dim: 1 input_dim: 3 input_dim: 20 input_dim: 20
      layers { layer { name: "pad1" type: "padding" pad: 2 } bottom: "data" top: "pad1" }
      layers { layer { name: "conv1" type: "conv" num_output: 4 kernelsize: 5 stride: 2 group: 2 biasterm: false
        weight_filler { type: "gaussian" std: 0.01 } blobs_lr: 1. blobs_lr: 2. weight_decay: 1. weight_decay: 0. }
        bottom: "pad1" top: "conv1" }
      layers { layer { name: "pool1" type: "pool" pool: AVE kernelsize: 3 stride: 2 } bottom: "conv1" top: "pool1" }
      layers { layer { name: "norm1" type: "lrn" local_size: 3 alpha: 0.001 beta: 0.5 k: 2 } bottom: "pool1" top: "norm1" }
      layers { layer { name: "fc" type: "innerproduct" num_output: 7 } bottom: "norm1" top: "fc" }
      layers { layer { name: "drop" type: "dropout" dropout_ratio: 0.2 } bottom: "fc" top: "fc" }
      layers { layer { name: "imgs" type: "images" source: "x" batchsize: 4 cropsize: 7 meanfile: "m" mirror: true scale: 2
        new_height: 8 new_width: 9 shuffle_images: true rand_skip: 3 } top: "a" top: "b" }`;
    assert.equal(
      upgraded(old),
      laidOut(`
        name: "v0"
        layer { name: "input" type: "Input" top: "data" input_param { shape { dim: [1, 3, 20, 20] } } }
        layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
          param { lr_mult: 1 decay_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
          convolution_param { num_output: 4 kernel_size: 5 stride: 2 group: 2 bias_term: false pad: 2
            weight_filler { type: "gaussian" std: 0.01 } } }
        layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" pooling_param { pool: AVE kernel_size: 3 stride: 2 } }
        layer { name: "norm1" type: "LRN" bottom: "pool1" top: "norm1" lrn_param { local_size: 3 alpha: 0.001 beta: 0.5 k: 2 } }
        layer { name: "fc" type: "InnerProduct" bottom: "norm1" top: "fc" inner_product_param { num_output: 7 } }
        layer { name: "drop" type: "Dropout" bottom: "fc" top: "fc" dropout_param { dropout_ratio: 0.2 } }
        layer { name: "imgs" type: "ImageData" top: "a" top: "b"
          transform_param { crop_size: 7 mean_file: "m" mirror: true scale: 2 }
          image_data_param { source: "x" batch_size: 4 new_height: 8 new_width: 9 shuffle: true rand_skip: 3 } }`),
    );
  });

  it('bring the second form of a net to the present one', () => {
    const old = `
      layers { name: "d" type: DATA top: "x" include { phase: TRAIN }
        data_param { source: "s" batch_size: 8 scale: 0.5 mean_file: "m" crop_size: 9 mirror: true } }
      layers { name: "c" type: CONVOLUTION bottom: "x" top: "c" param: "w" blob_share_mode: PERMISSIVE blobs_lr: 1 blobs_lr: 2
        weight_decay: 0 loss_weight: 3 convolution_param { num_output: 1 } }
      layers { name: "l" type: SOFTMAX_LOSS bottom: "c" loss_param { ignore_label: 4 } }`;
    assert.equal(
      upgraded(old),
      laidOut(`
        layer { name: "d" type: "Data" top: "x" include { phase: TRAIN } data_param { source: "s" batch_size: 8 }
          transform_param { scale: 0.5 mean_file: "m" crop_size: 9 mirror: true } }
        layer { name: "c" type: "Convolution" bottom: "x" top: "c" loss_weight: 3 convolution_param { num_output: 1 }
          param { name: "w" share_mode: PERMISSIVE lr_mult: 1 decay_mult: 0 } param { lr_mult: 2 } }
        layer { name: "l" type: "SoftmaxWithLoss" bottom: "c" loss_param { ignore_label: 4 } }`),
    );
  });

  it('freeze the three blobs that a BatchNorm layer lists', () => {
    const net = (params: string): string => `layer { name: "bn" type: "BatchNorm" ${params} }`;
    assert.equal(
      upgraded(net('param { lr_mult: 1 } param { name: "v" } param {}')),
      laidOut(
        net(
          'param { lr_mult: 0 decay_mult: 0 } param { name: "v" lr_mult: 0 decay_mult: 0 } param { lr_mult: 0 decay_mult: 0 }',
        ),
      ),
    );
    assert.equal(upgraded(net('param { lr_mult: 1 }')), laidOut(net('param { lr_mult: 1 }')));
  });

  it('keep the place of every layer', () => {
    const net = parseNet(
      'input: "x" input_dim: [1, 1, 1, 1]\nlayers { name: "a" type: RELU }\n  layers { layer { name: "b" type: "relu" } }',
      'f',
    );
    assert.deepEqual(
      net.layer.map((layer) => positionOf(layer)),
      [
        { file: 'f', line: 1, column: 1 },
        { file: 'f', line: 2, column: 1 },
        { file: 'f', line: 3, column: 3 },
      ],
    );
  });

  it('tell what they leave behind', () => {
    const told: string[] = [];
    upgraded('layers { layer { name: "r" type: "relu" kernelsize: 3 } }', (message) => told.push(message));
    assert.deepEqual(told, ['net.prototxt:1:1: kernelsize means nothing to a layer of type relu']);
  });

  it('refuse what has no meaning', () => {
    const refused = (text: string, message: RegExp): void =>
      assert.throws(
        () => upgraded(text),
        (error: Error) => error instanceof FormatError && message.test(error.message),
      );
    refused('layer {} layers {}', /net\.prototxt:1:10: a net has either layer or layers/);
    refused('layers { layer { type: "wavelet" } }', /unknown layer type "wavelet"/);
    refused('input: "a" input: "b" input_dim: [1, 2, 3, 4]', /input "b" has no shape/);
    refused('layers { layer { type: "conv" name: "c" } bottom: "x" }', /layer "c" reads "x", which no layer makes/);
    refused(
      'input: "x" layers { layer { type: "padding" } bottom: "x" top: "p" } layers { layer { type: "relu" } bottom: "p" }',
      /padding layer serves/,
    );
  });

  it('give what Caffe gives', async function () {
    const legacy = fixtures('legacy');
    if (!legacy) return this.skip();
    const net = await readNetDefinition(join(legacy, 'v1_net.prototxt'));
    assert.equal(formatText(NetParameter, net), readFileSync(join(legacy, 'v2_net.prototxt'), 'utf8'));
  });

  it('leave every present net as it is', async function () {
    const caffe = fixtures('.');
    if (!caffe) return this.skip();
    const texts = readdirSync(caffe, { recursive: true, encoding: 'utf8' }).filter(
      (name) => /(net|deploy|train_val)\.prototxt$/.test(name) && !name.includes('v1_'),
    );
    assert(texts.length > 100);
    for (const name of texts) {
      const text: string = readFileSync(join(caffe, name), 'utf8');
      const net = parseText(NetParameter, text, name);
      if (net.input.length === 0 && !text.includes('BatchNorm')) assert.equal(upgraded(text), laidOut(text), name);
    }
  });
});

describe('solver files', () => {
  it('name their type in text and their snapshots after themselves', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cortado-solver-'));
    try {
      const path = join(folder, 'my.solver.prototxt');
      writeFileSync(path, 'net: "n" base_lr: 0.1 solver_type: ADADELTA');
      const solver = await readSolver(path);
      assert.deepEqual(
        [solver.type, solver.solver_type, solver.snapshot_prefix],
        ['AdaDelta', undefined, join(folder, 'my.solver')],
      );
      writeFileSync(path, 'type: "SGD" solver_type: ADAM snapshot_prefix: "p"');
      await assert.rejects(readSolver(path), /:1:1: a solver has either type or solver_type/);
      writeFileSync(path, 'type: "SGD" snapshot_prefix: "p"');
      assert.equal((await readSolver(path)).snapshot_prefix, 'p');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('phases', () => {
  const text = `
    state { stage: "deploy" }
    layer { name: "both" }
    layer { name: "train" include { phase: TRAIN } }
    layer { name: "test" include { phase: TEST } }
    layer { name: "notTest" exclude { phase: TEST } }
    layer { name: "high" include { min_level: 2 } }
    layer { name: "low" include { max_level: 1 } }
    layer { name: "a" include { stage: "a" } }
    layer { name: "ab" include { stage: "a" stage: "b" } }
    layer { name: "notA" include { not_stage: "a" } }
    layer { name: "aOrTrain" include { stage: "a" } include { phase: TRAIN } }
    layer { name: "deploy" include { stage: "deploy" } }`;

  const names = (net: Net): string => net.layer.map((layer) => layer.name).join(' ');
  const net = parseNet(text);

  it('choose layers by phase, level and stage', () => {
    assert.equal(names(filterNet(net)), 'both test low notA deploy');
    assert.equal(names(filterNet(net, { phase: 'TRAIN' })), 'both train notTest low notA aOrTrain deploy');
    assert.equal(names(filterNet(net, { level: 2 })), 'both test high notA deploy');
    assert.equal(names(filterNet(net, { stages: ['a'] })), 'both test low a aOrTrain deploy');
    assert.equal(names(filterNet(net, { stages: ['b', 'a'] })), 'both test low a ab aOrTrain deploy');
  });

  it('follow what the net itself says', () => {
    const own = parseNet(`${text} state { phase: TRAIN level: 3 }`);
    assert.equal(names(filterNet(own)), 'both train notTest high notA aOrTrain deploy');
    assert.deepEqual(filterNet(own, { phase: 'TEST' }).state, { phase: 'TEST', level: 3, stage: ['deploy'] });
  });

  it('refuse rules of both kinds in one layer', () => {
    const both = parseNet('layer { name: "x" include { phase: TEST } exclude { phase: TRAIN } }', 'n');
    assert.throws(() => filterNet(both), /n:1:1: layer "x" has include and exclude rules/);
  });
});
