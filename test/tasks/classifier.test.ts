/** Pictures named by one call: sources, streams, faults of single pictures, ends. */
import assert from 'node:assert/strict';
import { createReadStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { decodeImage, preprocess, readMean } from '../../lib/images/index.js';
import {
  alexnet,
  compile,
  loadClassifier,
  trained,
  type Answer,
  type Classifier,
  type PictureSource,
} from '../../lib/index.js';
import { featuresOf } from '../../lib/tasks/picture-spec.js';
import { realData } from '../support/cases.js';
import { png, writeColours } from '../support/colours.js';

describe('loadClassifier', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cortado-tasks-'));
  const at = (name: string): string => join(folder, name);
  let classify: Classifier;
  let red: Buffer;
  let green: Buffer;

  before(async () => {
    await writeColours(folder);
    writeFileSync(
      at('cortado.json'),
      JSON.stringify({ model: './net.prototxt', weights: 'net.caffemodel', labels: 'labels.txt' }),
    );
    [red, green] = await Promise.all([png('#f00'), png('#0f0')]);
    writeFileSync(at('red.png'), red);
    classify = await loadClassifier(folder, { batch: 4 });
  });
  after(() => {
    classify.dispose();
    rmSync(folder, { recursive: true });
  });
  const first = async (picture: PictureSource): Promise<string | undefined> => (await classify(picture))[0]?.label;

  it('answers with labels, scores and indices, the likeliest first', async () => {
    const answers = await classify(red);
    assert.deepEqual(
      answers.map(({ label, index }) => [label, index]),
      [
        ['red', 2],
        ['blue', 0],
        ['green', 1],
      ],
    );
    assert.ok(answers[0]!.score > 0.99);
    assert.equal((await classify(red, { top: 1 })).length, 1);
    assert.deepEqual(classify.labels, ['blue', 'green', 'red']);
  });

  it('takes a picture in whatever form a program has it', async () => {
    const shared = new Uint8Array(new SharedArrayBuffer(red.length));
    shared.set(red);
    const bytes = Uint8Array.from(red);
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < bytes.length; i += 10) yield bytes.subarray(i, i + 10);
    }
    const sources: PictureSource[] = [
      at('red.png'),
      pathToFileURL(at('red.png')),
      red,
      bytes.buffer,
      shared,
      shared.buffer,
      new Blob([bytes]),
      createReadStream(at('red.png')),
      new Blob([bytes]).stream(),
      pieces(),
      await decodeImage(red),
      () => decodeImage(red),
    ];
    for (const source of sources) assert.equal(await first(source), 'red');
    assert.deepEqual(
      (await classify([red, green, at('red.png')])).map(([best]) => best!.label),
      ['red', 'green', 'red'],
    );
    assert.deepEqual(await classify([]), []);
  });

  it('refuses what is no picture, by what it is', async () => {
    await assert.rejects(classify(at('none.png')), { name: 'FormatError', message: /none\.png: no such file/ });
    await assert.rejects(classify(Buffer.from('garbage')), { name: 'FormatError' });
    await assert.rejects(classify(new URL('https://example.org/cat.jpg')), {
      name: 'UsageError',
      message: /file: URL/,
    });
    for (const wrong of [undefined, 7, {}, { data: red, width: 1, height: 1 }])
      await assert.rejects(classify(wrong as unknown as string), { name: 'UsageError' });
    await assert.rejects(classify(red, { top: 0 }), { name: 'UsageError' });
  });

  it('answers concurrent calls, bad pictures among them, each with its own', async () => {
    const calls = Array.from({ length: 40 }, (_, i) =>
      classify(i % 7 === 3 ? Buffer.from('bad') : i % 2 ? red : green),
    );
    const settled = await Promise.allSettled(calls);
    settled.forEach((each, i) => {
      if (i % 7 === 3) assert.ok(each.status === 'rejected' && (each.reason as Error).name === 'FormatError');
      else assert.equal(each.status === 'fulfilled' && each.value[0]!.label, i % 2 ? 'red' : 'green');
    });
    await assert.rejects(classify([red, Buffer.from('bad'), green]), { name: 'FormatError' });
  });

  it('ends one call by its signal, wherever it waits', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const calls = [
      classify(red, { signal: controller.signal }),
      classify(new PassThrough(), { signal: controller.signal }),
      classify(
        Array.from({ length: 30 }, () => red),
        { signal: controller.signal },
      ),
    ];
    const others = classify([red, green]);
    const ended = calls.map((call) => assert.rejects(call, reason));
    controller.abort(reason);
    await Promise.all(ended);
    assert.equal((await others).length, 2);
  });

  it('gives features, of the layer that one names or of the last', async () => {
    const features = await classify.embed(red);
    assert.deepEqual(features.shape, [3]);
    assert.deepEqual(Array.from(features.data), [0, 0, 255]);
    const prob = await classify.embed(red, { layer: 'prob' });
    assert.ok(Math.abs(prob.data[2]! - (await classify(red))[0]!.score) < 1e-6);
    assert.equal((await classify.embed([red, green])).length, 2);
    await assert.rejects(classify.embed(red, { layer: 'fc9' }), { name: 'GraphError' });
    assert.equal(featuresOf(alexnet().outputs.prob).name, 'drop7');
  });

  it('answers picture by picture, in order, taking no more than it needs', async () => {
    let taken = 0;
    async function* pictures(): AsyncGenerator<PictureSource> {
      for (; taken < 1000; taken++) yield taken % 3 === 1 ? Buffer.from('bad') : red;
    }
    const answers: Answer[] = [];
    for await (const answer of classify.each(pictures(), { top: 1 })) {
      if (answers.push(answer) === 10) break;
    }
    assert.deepEqual(
      answers.map(({ error, predictions }) => error?.code ?? predictions![0]!.label),
      Array.from({ length: 10 }, (_, i) => (i % 3 === 1 ? 'FORMAT' : 'red')),
    );
    assert.ok(taken <= 20, `${taken}`);
  });

  it('is a stream for pipelines, held back by a slow reader', async () => {
    let taken = 0;
    async function* pictures(): AsyncGenerator<PictureSource> {
      for (; taken < 100; taken++) yield taken % 2 ? red : green;
    }
    const seen: string[] = [];
    const most: number[] = [];
    const slow = new Writable({
      objectMode: true,
      highWaterMark: 1,
      write({ predictions }: Answer, _encoding, done) {
        seen.push(predictions![0]!.label);
        most.push(taken - seen.length);
        void setTimeout(2).then(() => done());
      },
    });
    await pipeline(Readable.from(pictures()), classify.stream({ top: 1 }), slow);
    assert.deepEqual(
      seen,
      Array.from({ length: 100 }, (_, i) => (i % 2 ? 'red' : 'green')),
    );
    assert.ok(Math.max(...most) < 60, `${Math.max(...most)} ahead`);
  });

  it('answers a live stream as pictures come, and ends with it', async () => {
    const input = new PassThrough({ objectMode: true });
    const stream = input.pipe(classify.stream());
    input.write(red);
    const [answer] = (await Promise.race([stream.take(1).toArray(), setTimeout(5000, [])])) as Answer[];
    assert.equal(answer?.predictions?.[0]?.label, 'red');
    const broken = pipeline(Readable.from([red, red]), classify.stream(), async (answers: AsyncIterable<Answer>) => {
      for await (const _ of answers) throw new Error('downstream');
    });
    await assert.rejects(broken, /downstream/);
    const controller = new AbortController();
    const endless = new PassThrough({ objectMode: true });
    const aborted = pipeline(
      endless,
      classify.stream({ signal: controller.signal }),
      new PassThrough({ objectMode: true }),
      {
        signal: controller.signal,
      },
    );
    controller.abort();
    await assert.rejects(aborted, { name: 'AbortError' });
  });

  it('ends what is on its way when it is disposed', async () => {
    const own = await loadClassifier(at('net.prototxt'), { weights: at('net.caffemodel') });
    assert.equal(own.labels, undefined);
    assert.equal((await own(red))[0]!.label, '2');
    const call = assert.rejects(own(red), { name: 'DisposedError' });
    own.dispose();
    own.dispose();
    await call;
    await assert.rejects(own(red), { name: 'DisposedError' });
    {
      await using other = await loadClassifier(folder);
      await other(red);
    }
  });

  it('says what is wrong with a net or its description', async () => {
    const described = (text: string): Promise<Classifier> => {
      writeFileSync(at('wrong.json'), text);
      return loadClassifier(at('wrong.json'));
    };
    await assert.rejects(loadClassifier('alexnet'), { name: 'UsageError', message: /weights: expected a file/ });
    await assert.rejects(loadClassifier('resnet', { weights: 'x' }), { name: 'UsageError', message: /"resnet"/ });
    await assert.rejects(loadClassifier(folder, { batch: 0 }), { name: 'UsageError' });
    await assert.rejects(loadClassifier(folder, { labels: ['one'] }), {
      name: 'FormatError',
      message: /expected 3 labels/,
    });
    await assert.rejects(loadClassifier('lenet', { weights: at('net.caffemodel') }), {
      name: 'FormatError',
      message: /expected weights of at least one layer of the net/,
    });
    await assert.rejects(described('{'), { name: 'FormatError' });
    await assert.rejects(described('[]'), { name: 'FormatError', message: /expected an object/ });
    await assert.rejects(described('{}'), { name: 'FormatError', message: /expected a "model"/ });
    await assert.rejects(described('{"modle": "x"}'), { name: 'FormatError', message: /"modle"/ });
    await assert.rejects(described('{"model": "x", "resize": "big"}'), { name: 'FormatError', message: /resize/ });
  });

  it('prepares pictures as the functions for single steps do', async () => {
    const { graph, weights, mean, classes } = await trained('cifar10-full');
    const picture = await decodeImage(await png('#359', 50, 40));
    await using model = await compile(graph);
    await model.load(weights);
    const data = await preprocess(picture, { resize: 32, mean });
    const { prob } = await model.forward({ data }, { fetch: ['prob'] });
    using small = await loadClassifier('cifar10-full');
    const answers = await small(picture, { top: 10 });
    for (const { label, score, index } of answers) {
      assert.equal(label, classes[index]);
      assert.ok(Math.abs(score - prob!.data[index]!) < 1e-6);
    }
  });

  it('names what Caffe names with SqueezeNet, from a description, many at a time', async function () {
    const real = realData('squeezenet');
    if (real === undefined) return this.skip();
    const description = {
      model: join(real, 'deploy.prototxt'),
      weights: join(real, 'squeezenet_v1.0.caffemodel.gz'),
      labels: join(real, 'synset_words.txt'),
      mean: [104, 117, 123],
    };
    writeFileSync(at('squeezenet.json'), JSON.stringify(description));
    const recorded = JSON.parse(readFileSync(join(real, 'caffe_answers.json'), 'utf8')) as {
      answers: Record<string, { top5: number[] }>;
    };
    const names = Object.keys(recorded.answers).slice(0, 12);
    // The file has names of its own for layers: the ready-made net must not answer with what it does not find in it.
    await assert.rejects(loadClassifier('squeezenet', { weights: description.weights }), {
      name: 'FormatError',
      message: /expected weights for fire2\/squeeze1x1\.weight/,
    });
    await using own = await loadClassifier(at('squeezenet.json'), { batch: 5 });
    const answers = await own(names.map((name) => join(real, 'images', name)));
    const same = answers.filter(([best], i) => best!.index === recorded.answers[basename(names[i]!)]!.top5[0]);
    assert.ok(same.length >= 11, `${same.length} of 12`);
    assert.deepEqual((await own.embed(join(real, 'images', names[0]!))).shape, [512]);
    assert.deepEqual(await readMean('104,117,123'), description.mean);
  });
});
