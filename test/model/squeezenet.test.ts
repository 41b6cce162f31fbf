/** Real weights and pictures: SqueezeNet as Caffe answers it, from the same pixels. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compile, squeezenet, type Tensor } from '../../lib/index.js';
import { readNet } from '../../lib/caffe/import/index.js';
import { array, realData } from '../support/cases.js';
import { assertClose } from '../support/compare.js';

/** What Caffe said of the pictures: classes by falling score. */
interface Answers {
  readonly order_of_pixels: readonly string[];
  readonly answers: Readonly<Record<string, { readonly top5: readonly number[] }>>;
}

const MEAN = [104, 117, 123];
const folder = realData('squeezenet');

/** Pixels minus the mean of their plane. */
function centred({ data, shape }: Tensor): Tensor {
  const plane = shape[2]! * shape[3]!;
  return { data: data.map((v, i) => v - MEAN[Math.floor(i / plane) % 3]!), shape };
}

const top = (row: Float32Array): number => row.indexOf(Math.max(...row));

describe('SqueezeNet with its published weights', function () {
  if (!folder) return;
  const pixels = centred(array(join(folder, 'pixels_8x3x227x227_uint8.npy')));
  const expected = array(join(folder, 'pool_final_8x1000.npy'));
  const weights = join(folder, 'squeezenet_v1.0.caffemodel.gz');
  const { order_of_pixels: order, answers: caffe } = JSON.parse(
    readFileSync(join(folder, 'caffe_answers.json'), 'utf8'),
  ) as Answers;

  const check = ({ data }: Tensor): void => {
    assertClose(data, expected.data, 'pool_final', 1e-4);
    for (let n = 0; n < 8; n++) {
      assert.equal(top(data.subarray(1000 * n, 1000 * (n + 1))), caffe[order[n]!]!.top5[0], order[n]);
    }
  };

  it('from its prototxt answers as Caffe does', async () => {
    const net = await readNet(join(folder, 'deploy.prototxt'), { phase: 'TEST', weights });
    await using model = await compile(net.graph, { batch: 8 });
    await model.load(net.weights);
    const out = net.blobs.get('pool_final')!.last.name;
    const answers = (await model.forward({ [Object.keys(net.graph.inputs)[0]!]: pixels }, { fetch: [out] })) as Record<
      string,
      Tensor
    >;
    check(answers[out]!);
  });

  it('as squeezenet() answers as Caffe does', async () => {
    const net = await readNet(join(folder, 'deploy.prototxt'), { phase: 'TEST', weights });
    const own = squeezenet();
    await using model = await compile(own, { batch: 8 });
    // The published file has other names than its authors' later ones, but the same layers in the same order.
    const names = net.graph.parameters.map((v) => v.name);
    await model.load(Object.fromEntries(own.parameters.map((v, i) => [v.name, net.weights[names[i]!]!])));
    const answers = (await model.forward({ data: pixels }, { fetch: ['pool10'] })) as Record<string, Tensor>;
    check(answers.pool10!);
  });

  it('gives each picture the same answer alone as in the batch', async () => {
    const net = await readNet(join(folder, 'deploy.prototxt'), { phase: 'TEST', weights });
    await using model = await compile(net.graph, { batch: 8 });
    await model.load(net.weights);
    const name = Object.keys(net.graph.inputs)[0]!;
    const size = pixels.data.length / 8;
    const one = { data: pixels.data.slice(3 * size, 4 * size), shape: [1, ...pixels.shape.slice(1)] };
    const out = net.blobs.get('pool_final')!.last.name;
    const answer = (await model.forward({ [name]: one }, { fetch: [out] })) as Record<string, Tensor>;
    assertClose(answer[out]!.data, expected.data.slice(3000, 4000), 'pool_final', 1e-4);
  });
});
