/** The data layers of Caffe: what they gave three times in a row, and what a loader gives with the same settings. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { filterNet, readNetDefinition, type Layer } from '../../lib/caffe/index.js';
import {
  imageList,
  leveldb,
  lmdb,
  openLoader,
  type Batch,
  type Dataset,
  type TransformOptions,
} from '../../lib/data/index.js';
import { readMean } from '../../lib/images/index.js';
import { compile, graph, input, relu } from '../../lib/index.js';
import { readArray } from '../support/arrays.js';
import { assertClose } from '../support/compare.js';
import { dataFixtures } from './sources/support.js';

/** What a layer's settings mean here. */
async function transformOf({ transform_param: given }: Layer, folder: string): Promise<TransformOptions> {
  const crop = given?.crop_size ?? 0;
  const means = given?.mean_value ?? [];
  const file = given?.mean_file;
  return {
    ...(crop > 0 && { crop }),
    ...(means.length > 0 && { mean: means }),
    ...(file !== undefined && { mean: await readMean(join(folder, file)) }),
    scale: given?.scale ?? 1,
    channelOrder: given?.force_gray ? 'grey' : given?.force_color ? 'bgr' : 'asis',
  };
}

async function open(layer: Layer, folder: string): Promise<{ dataset: Dataset; batch: number }> {
  const transform = await transformOf(layer, folder);
  const { data_param: data, image_data_param: images } = layer;
  if (images) {
    const root = join(folder, images.root_folder ?? '');
    const list = await imageList(join(folder, images.source!), { ...transform, root });
    return { dataset: list, batch: images.batch_size! };
  }
  const path = join(folder, data!.source!);
  const dataset = await (data!.backend === 'LMDB' ? lmdb(path, transform) : leveldb(path, transform));
  return { dataset, batch: data!.batch_size! };
}

/** Decoders differ by a grey level or two, and mixes of grey by their roundings. */
const LEVELS: Readonly<Record<string, number>> = { encoded_jpg: 2, encoded_png_gray: 1 };

describe("Caffe's data layers", function () {
  this.timeout(60_000);
  const fixtures = dataFixtures();
  const cases = fixtures?.data_layers ?? [];

  for (const { name, prototxt, data, label } of cases) {
    it(`give what a loader gives: ${name}`, async () => {
      const { folder } = fixtures!;
      const net = filterNet(await readNetDefinition(join(folder, prototxt)), { phase: 'TEST' });
      const { dataset, batch } = await open(net.layer[0]!, folder);
      const [pixels, labels] = [await readArray(folder, data.file), await readArray(folder, label.file)];
      const rounds = pixels.shape.length === 5 ? pixels.shape[0]! : 1;
      const shape = pixels.shape.slice(-3);
      await using loader = await openLoader(dataset, { batch, phase: 'test', epochs: Infinity });
      assert.deepEqual(loader.shape, shape);
      const identity = graph({ data: input(shape) }, ({ data: x }) => ({ y: relu(x, { slope: 1 }) }));
      await using model = await compile(identity, { batch });
      const taken: Batch[] = [];
      for await (const each of loader) if (taken.push(each) === rounds) break;
      const size = pixels.data.length / rounds;
      for (const [round, { images, labels: own }] of taken.entries()) {
        const { y } = await model.forward({ data: images });
        const expected = pixels.data.subarray(round * size, (round + 1) * size);
        if (name in LEVELS) assertClose(y.data, expected, name, LEVELS[name], 1);
        else assert.deepEqual(y.data, expected);
        assert.deepEqual(own.data, labels.data.subarray(round * batch, (round + 1) * batch));
      }
      assert.equal(taken.length, rounds);
    });
  }

  it('are all there', function () {
    if (!fixtures) this.skip();
    assert.ok(cases.length >= 14);
  });
});
