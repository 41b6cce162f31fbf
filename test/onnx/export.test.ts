import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toTensor } from '../../lib/formats/elements.js';
import { openNpz, writeNpz } from '../../lib/formats/npz.js';
import * as c from '../../lib/index.js';
import type { Graph, Tensor, Value } from '../../lib/index.js';
import { encodeOnnx, readOnnx, writeOnnx } from '../../lib/onnx/index.js';
import { assertClose } from '../support/compare.js';
import { noise } from '../support/nets.js';
import { python, pythonHas } from '../support/python.js';

type Case = readonly [name: string, shape: readonly number[], build: (x: Value) => Value];

/** A graph for each way of every writer. */
const CASES: readonly Case[] = [
  ['conv2d', [4, 9, 8], (x) => c.conv2d(x, { filters: 6, kernel: [3, 2], stride: [2, 1], pad: [1, 0], groups: 2 })],
  ['conv2d dilated, no bias', [2, 9, 8], (x) => c.conv2d(x, { filters: 3, kernel: 3, dilation: 2, bias: false })],
  ['deconv2d', [4, 5, 4], (x) => c.deconv2d(x, { filters: 6, kernel: 3, stride: 2, pad: 1, groups: 2 })],
  ['maxPool ceil', [2, 10, 12], (x) => c.maxPool(x, { kernel: 3, stride: 2 })],
  ['maxPool floor', [2, 10, 12], (x) => c.maxPool(x, { kernel: 3, stride: 2, round: 'floor' })],
  ['maxPool padded', [2, 10, 11], (x) => c.maxPool(x, { kernel: [3, 2], stride: 2, pad: 1 })],
  ['averagePool', [2, 10, 12], (x) => c.averagePool(x, { kernel: 2, stride: 2 })],
  ['averagePool over the edge', [2, 10, 12], (x) => c.averagePool(x, { kernel: 3, stride: 2 })],
  ['averagePool padded', [2, 9, 9], (x) => c.averagePool(x, { kernel: 3, stride: 1, pad: 1 })],
  ['averagePool padded over the edge', [2, 10, 8], (x) => c.averagePool(x, { kernel: 4, stride: 3, pad: 1 })],
  ['averagePool global', [2, 5, 6], (x) => c.averagePool(x, { global: true })],
  ['pad', [2, 3], (x) => c.pad(x, { before: [0, 1, 0], after: [0, 0, 2] })],
  ['dense', [3, 4], (x) => c.dense(x, { units: 5 })],
  ['dense transposed', [6], (x) => c.dense(x, { units: 5, transpose: true, bias: false })],
  ['dense of rows', [3, 4], (x) => c.dense(x, { units: 5, axis: 2 })],
  ['dense of transposed rows', [3, 2, 2], (x) => c.dense(x, { units: 5, axis: 2, transpose: true, bias: false })],
  ['scale', [3, 4, 5], (x) => c.scale(x, { bias: true, params: { weight: { filler: c.uniform() } } })],
  ['scale along two axes', [3, 4, 5], (x) => c.scale(x, { axis: 2, numAxes: 2 })],
  ['scale by a value', [3, 4, 5], (x) => c.scale(x, { axis: 0, by: c.reduction(x, { axis: 2 }) })],
  ['bias', [3, 4], (x) => c.bias(x, { axis: 2 })],
  ['bias by a value', [3, 4], (x) => c.bias(x, { axis: 0, by: c.exp(x) })],
  ['batchNorm', [3, 4, 5], (x) => c.batchNorm(x, { eps: 0.01 })],
  ['mvn', [3, 4, 5], (x) => c.mvn(x)],
  ['mvn across channels', [3, 4, 5], (x) => c.mvn(x, { acrossChannels: true, normalizeVariance: false })],
  ['lrn', [7, 4, 5], (x) => c.lrn(x, { alpha: 0.5, beta: 0.6, k: 2 })],
  ['lrn within', [2, 6, 5], (x) => c.lrn(x, { region: 'within', localSize: 3, alpha: 0.5 })],
  ['softmax', [6], (x) => c.softmax(x)],
  ['softmax along channels', [3, 4, 5], (x) => c.softmax(x)],
  ['relu', [6], (x) => c.relu(x)],
  ['relu leaky', [6], (x) => c.relu(x, { slope: 0.1 })],
  ['prelu', [3, 4], (x) => c.prelu(x)],
  ['prelu shared', [3, 4], (x) => c.prelu(x, { channelShared: true })],
  ['sigmoid', [6], (x) => c.sigmoid(x)],
  ['tanh', [6], (x) => c.tanh(x)],
  ['abs', [6], (x) => c.abs(x)],
  ['bnll', [6], (x) => c.bnll(x)],
  ['elu', [6], (x) => c.elu(x, { alpha: 0.7 })],
  ['clip', [6], (x) => c.clip(x, { min: -0.2, max: 0.3 })],
  ['power', [6], (x) => c.power(x, { power: 2, scale: 3, shift: 1 })],
  ['power of nothing', [6], (x) => c.power(x)],
  ['exp', [6], (x) => c.exp(x, { base: 2, scale: 0.5, shift: 1 })],
  ['log', [6], (x) => c.log(x, { base: 10, scale: 0.5, shift: 2 })],
  ['threshold', [6], (x) => c.threshold(x, { threshold: 0.1 })],
  ['swish', [6], (x) => c.swish(x, { beta: 2 })],
  ['eltwise sum', [6], (x) => c.eltwise([x, c.abs(x), c.exp(x)], { coefficients: [1, -2, 0.5] })],
  ['eltwise product', [6], (x) => c.eltwise([x, c.abs(x), c.exp(x)], { operation: 'prod' })],
  ['eltwise maximum', [6], (x) => c.eltwise([x, c.abs(x)], { operation: 'max' })],
  ['concat', [2, 3], (x) => c.concat([x, c.abs(x)])],
  ['slice', [6, 2], (x) => c.add(c.slice(x, { points: [2, 4] })[1]!, c.slice(x, { parts: 3 })[2]!)],
  ['split', [6], (x) => c.add(...(c.split(c.abs(x)) as [Value, Value]))],
  ['tile', [2, 3], (x) => c.tile(x, { tiles: 3, axis: 2 })],
  ['flatten', [2, 3, 4], (x) => c.flatten(x)],
  ['flatten of the middle', [2, 3, 4], (x) => c.flatten(x, { axis: 1, endAxis: 2 })],
  ['reshape', [2, 3, 4], (x) => c.reshape(x, { dims: [0, -1, 6] })],
  ['reshape of one axis', [2, 3, 4], (x) => c.reshape(x, { dims: [3, 1], axis: 2, numAxes: 1 })],
  [
    'crop',
    [2, 5, 6],
    (x) => c.crop(x, c.averagePool(x, { kernel: 3, stride: 2, round: 'floor' }), { offsets: [1, 2] }),
  ],
  ['reduction sum', [2, 3, 4], (x) => c.reduction(x, { axis: 2, coefficient: 2 })],
  ['reduction mean', [2, 3, 4], (x) => c.reduction(x, { axis: 1, operation: 'mean' })],
  ['reduction asum', [2, 3, 4], (x) => c.reduction(x, { axis: 2, operation: 'asum' })],
  ['reduction sumsq', [2, 3, 4], (x) => c.reduction(x, { axis: 2, operation: 'sumsq' })],
  ['embed', [3], (x) => c.embed(c.power(x, { shift: 0 }), { rows: 5, units: 4 })],
  ['batchReindex', [3], (x) => c.batchReindex(x, c.reduction(c.power(x, { scale: 0 }), { axis: 1 }))],
  ['parameter', [3], (x) => c.bias(x, { by: c.parameter(x.builder, { shape: [3], filler: c.uniform() }), axis: 1 })],
  ['dropout', [6], (x) => c.dropout(c.stopGradient(c.abs(x)))],
  ['input alone', [6], (x) => x],
  ['spp', [2, 8, 8], (x) => c.spp(x, { levels: 3 })],
];

const graphOf = ([name, shape, build]: Case): Graph =>
  c.graph({ x: c.input(shape) }, ({ x }) => ({ y: build(x) }), { name });

interface Written {
  readonly name: string;
  readonly graph: Graph;
  readonly input: string;
  readonly x: Tensor;
  readonly outputs: Readonly<Record<string, Tensor>>;
  readonly weights: Readonly<Record<string, Tensor>>;
}

/** What the graph itself makes of noise with weights of its fillers, and statistics that are not 0. */
async function run(name: string, graph: Graph, batch: number, x?: Tensor): Promise<Written> {
  await using model = await c.compile(graph, { batch, seed: 3 });
  const drawn = await model.weights();
  const weights = Object.fromEntries(
    Object.entries(drawn).map(([key, tensor]) => {
      const { shape } = tensor;
      if (/\.(mean|bias)$/.test(key)) return [key, noise(shape, 5)];
      if (/\.(variance|factor)$/.test(key)) return [key, { data: noise(shape, 6).data.map((v) => v + 2), shape }];
      return [key, tensor];
    }),
  );
  await model.load(weights);
  const [input = ''] = Object.keys(graph.inputs);
  const fed = x ?? noise([batch, ...graph.inputs[input]!.shape.slice(1)], 4);
  return { name, graph, input, x: fed, weights, outputs: { ...(await model.forward({ [input]: fed })) } };
}

const whole = (rows: number): Tensor => ({
  data: Float32Array.from({ length: 3 * rows }, (_, i) => i % 5),
  shape: [rows, 3],
});

/** Runs models in ONNX Runtime after ONNX's own checker. */
const RUNTIME = `
import sys, numpy as np, onnx, onnxruntime
onnxruntime.set_default_logger_severity(3)
folder = sys.argv[1]
cases = np.load(folder + '/cases.npz')
made = {}
for i in range(int(sys.argv[2])):
    path = f'{folder}/{i}.onnx'
    onnx.checker.check_model(path, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    names = [o.name for o in session.get_outputs()]
    for name, y in zip(names, session.run(names, {session.get_inputs()[0].name: cases[str(i)]})):
        made[f'{i}.{name}'] = y
np.savez(folder + '/answers.npz', **made)
`;

async function compareWithRuntime(folder: string, cases: readonly Written[]): Promise<void> {
  for (const [i, { graph, weights }] of cases.entries()) await writeOnnx(join(folder, `${i}.onnx`), graph, weights);
  await writeNpz(join(folder, 'cases.npz'), { tensors: Object.fromEntries(cases.map(({ x }, i) => [String(i), x])) });
  python(RUNTIME, [folder, String(cases.length)]);
  await using answers = await openNpz(join(folder, 'answers.npz'));
  assert.ok(answers.tensors.size >= cases.length);
  for (const key of answers.tensors.keys()) {
    const [index = '', output = ''] = key.split(/\.(.*)/);
    const { name, outputs } = cases[Number(index)]!;
    const { data, shape } = toTensor(await answers.read(key), key);
    assert.deepEqual(shape, outputs[output]!.shape, name);
    assertClose(outputs[output]!.data, data, `${name}: ${output}`);
  }
}

describe('exporting to ONNX', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cortado-export-'));
  after(() => rmSync(folder, { recursive: true }));

  it('says of every op what ONNX Runtime understands', async function () {
    if (!pythonHas('onnx', 'onnxruntime')) return this.skip();
    const cases = await Promise.all(
      CASES.map((each) => run(each[0], graphOf(each), 2, each[0] === 'embed' ? whole(2) : undefined)),
    );
    await compareWithRuntime(folder, cases);
  });

  it('of every ready-made model passes the checker and agrees with ONNX Runtime', async function () {
    if (!pythonHas('onnx', 'onnxruntime')) return this.skip();
    this.timeout(600_000);
    const models = [c.alexnet, c.caffenet, c.alexnetOwt, c.cifar10Quick, c.cifar10Full, c.lenet, c.squeezenet];
    for (const make of models) await compareWithRuntime(folder, [await run(make.name, make(), 2)]);
  });

  it('comes back through the import, with any batch', async () => {
    const only = ['threshold', 'embed', 'batchReindex', 'parameter', 'scale by a value', 'input alone'];
    for (const each of CASES.filter(([name]) => !only.includes(name))) {
      const { name, graph, weights, x, outputs } = await run(each[0], graphOf(each), 2);
      const back = await readOnnx(Buffer.concat(encodeOnnx(graph, weights)));
      await using model = await c.compile(back.graph, { batch: 2 });
      await model.load(back.weights);
      const { y } = await model.forward({ x });
      assert.deepEqual(y!.shape, outputs.y!.shape, name);
      assertClose(y!.data, outputs.y!.data, name);
    }
  });

  it('keeps every bit of the weights, and their names', async () => {
    const { graph, weights } = await run('cifar10Quick', c.cifar10Quick(), 1);
    const back = await readOnnx(Buffer.concat(encodeOnnx(graph, weights)));
    assert.deepEqual(back.weights, weights);
    assert.equal(back.producer, 'cortado');
  });

  it('says all at once what ONNX has no words for', () => {
    const graph = c.graph({ x: c.input([4]), label: c.input([]) }, ({ x, label }) => ({
      best: c.argmax(x, { name: 'best' }),
      loss: c.softmaxLoss(x, label, { name: 'loss' }),
    }));
    assert.throws(() => encodeOnnx(graph, {}, { outputs: ['best', 'loss'] }), {
      code: 'GRAPH',
      message: /cannot be exported:\n {2}best: ONNX has no operator like argmax\n {2}loss: .*softmaxLoss$/,
    });
    assert.throws(() => encodeOnnx(graph, {}, { outputs: ['prob'] }), {
      code: 'USAGE',
      message: /among best, loss, got "prob"/,
    });
    const dense = c.graph({ x: c.input([4]) }, ({ x }) => ({ y: c.dense(x, { name: 'fc', units: 2 }) }));
    assert.throws(() => encodeOnnx(dense, {}), {
      code: 'FORMAT',
      message: /expected weights named "fc\.(weight|bias)"/,
    });
    const odd = { data: new Float32Array(8), shape: [4, 2] };
    assert.throws(() => encodeOnnx(dense, { 'fc.weight': odd, 'fc.bias': noise([2]) }), {
      code: 'SHAPE',
      message: /\(2, 4\), got \(4, 2\)/,
    });
  });
});
