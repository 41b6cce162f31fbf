import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { readNet } from '../../lib/caffe/import/index.js';
import { compile } from '../../lib/index.js';
import { array, realData } from '../support/cases.js';
import { cli } from '../support/cli.js';
import { writeColours } from '../support/colours.js';
import { inProcess } from '../support/in-process.js';

interface Answer {
  readonly image: string;
  readonly predictions?: readonly { label: string; score: number; index: number }[];
  readonly error?: string;
}

describe('cortado classify', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cortado-classify-'));
  const at = (name: string): string => join(folder, name);
  const net = ['--model', at('net.prototxt'), '--weights', at('net.caffemodel.gz')];
  const base = ['classify', ...net, '--labels', at('labels.txt')];

  before(async () => {
    await writeColours(folder);
    writeFileSync(at('net.caffemodel.gz'), gzipSync(readFileSync(at('net.caffemodel'))));
    mkdirSync(at('pictures'));
    const draw = (background: string, to: string): Promise<unknown> =>
      sharp({ create: { width: 20, height: 10, channels: 3, background } }).toFile(at(`pictures/${to}`));
    await Promise.all([
      draw('#f00', 'red 2.png'),
      draw('#0f0', 'green 10.webp'),
      draw('#00f', 'blue 1.jpg'),
      draw('#00f', 'blue.AVIF'),
    ]);
    writeFileSync(at('broken.jpg'), readFileSync(at('pictures/blue 1.jpg')).subarray(0, 200));
    writeFileSync(at('pictures/notes.txt'), 'no picture');
  });
  after(() => rmSync(folder, { recursive: true }));

  const answers = async (
    words: readonly string[],
  ): Promise<{ code: number | null; stderr: string; answers: Answer[] }> => {
    const { code, stdout, stderr } = await inProcess([...base, '--json', ...words]);
    return { code, stderr, answers: JSON.parse(stdout) as Answer[] };
  };
  const named = (list: readonly Answer[]): string[] =>
    list.map(({ image, predictions }) => `${basename(image)}: ${predictions?.[0]?.label ?? 'none'}`);

  it('answers for a folder, in the order of names, with numbers in them as numbers', async () => {
    const { code, answers: list } = await answers([at('pictures')]);
    assert.equal(code, 0);
    assert.deepEqual(named(list), ['blue 1.jpg: blue', 'blue.AVIF: blue', 'green 10.webp: green', 'red 2.png: red']);
    for (const { predictions } of list) {
      assert.equal(predictions?.length, 3);
      assert.ok(predictions[0]!.score > 0.99);
      assert.ok(Math.abs(predictions.reduce((sum, { score }) => sum + score, 0) - 1) < 1e-5);
    }
  });

  it('answers for patterns and several runs', async () => {
    const { answers: list } = await answers([
      at('pictures/*.{png,webp}'),
      at('pictures/blue 1.jpg'),
      '--batch',
      '2',
      '--top',
      '1',
    ]);
    assert.deepEqual(named(list), ['green 10.webp: green', 'red 2.png: red', 'blue 1.jpg: blue']);
    assert.ok(list.every(({ predictions }) => predictions?.length === 1));
  });

  it('names broken pictures, answers for the others, and exits with 1', async () => {
    const {
      code,
      stderr,
      answers: list,
    } = await answers([at('broken.jpg'), at('pictures/red 2.png'), at('missing.gif')]);
    assert.equal(code, 1);
    assert.match(stderr, /^cortado: .*broken\.jpg: a damaged picture: .*\ncortado: .*missing\.gif: no such file\n$/);
    assert.deepEqual(named(list), ['broken.jpg: none', 'red 2.png: red', 'missing.gif: none']);
    assert.match(list[0]!.error ?? '', /broken\.jpg/);
  });

  it('writes a line of tab-separated fields for each class where there is no terminal', async () => {
    const { stdout } = await inProcess([...base, at('pictures/red 2.png'), '--top', '2']);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t'));
    assert.deepEqual(lines[0], [at('pictures/red 2.png'), '1', '1.0000', '2', 'red']);
    assert.equal(lines.length, 2);
  });

  it('takes off a mean, scales, and reads red, green, blue where told to', async () => {
    const words = [at('pictures/red 2.png'), '--mean', '0,0,255', '--scale', '0.1'];
    const [even] = (await answers(words)).answers;
    for (const { score } of even!.predictions!) assert.ok(Math.abs(score - 1 / 3) < 1e-6);
    assert.deepEqual(named((await answers([at('pictures/red 2.png'), '--rgb'])).answers), ['red 2.png: blue']);
  });

  it('averages over ten crops', async () => {
    const edged = at('edged.png');
    const edge = await sharp({ create: { width: 1, height: 8, channels: 3, background: '#fff' } })
      .png()
      .toBuffer();
    const ground = { width: 8, height: 8, channels: 3, background: '#f00' } as const;
    await sharp({ create: ground })
      .composite([{ input: edge, left: 0, top: 0 }])
      .toFile(edged);
    const red = async (...words: string[]): Promise<number> => {
      const { answers: list } = await answers([edged, '--resize', '8', '--scale', '0.01', ...words]);
      return list[0]!.predictions!.find(({ label }) => label === 'red')!.score;
    };
    // The edge is in the two left corners and their mirrors only: in four crops of ten, a sixth of the pixels.
    const probability = (others: number): number => Math.exp(0.255) / (Math.exp(0.255) + 2 * Math.exp(others));
    assert.ok(Math.abs((await red()) - probability(0)) < 1e-6);
    const expected = 0.6 * probability(0) + 0.4 * probability(0.255 / 6);
    assert.ok(Math.abs((await red('--oversample')) - expected) < 1e-6);
  });

  it('reads standard input', () => {
    const words = [...base, '--json', '-'];
    const piped = cli(words, {}, readFileSync(at('pictures/green 10.webp')));
    assert.equal(piped.code, 0, piped.stderr);
    assert.deepEqual(named(JSON.parse(piped.stdout) as Answer[]), ['-: green']);
    const garbage = cli(words, {}, 'garbage');
    assert.equal(garbage.code, 1);
    assert.match(garbage.stderr, /^cortado: standard input: not a picture[^\n]*\n$/);
  });

  it('answers misuse with exit code 2, what does not fit with 1', async () => {
    writeFileSync(at('two.txt'), 'blue\ngreen');
    const picture = at('pictures/red 2.png');
    const cases: [string[], number, RegExp][] = [
      [[...base], 2, /image/],
      [['classify', picture, '--model', at('net.prototxt')], 2, /weights/],
      [[...base, at('nothing/*.jpg')], 2, /no pictures found/],
      [[...base, '-', '-'], 2, /only once/],
      [[...base, picture, '--crop', '7'], 2, /takes pictures of 6x6/],
      [[...base, picture, '--resize', '5'], 2, /resize: expected at least 6/],
      [[...base, picture, '--top', '0'], 2, /whole number/],
      [[...base, picture, '--scale', 'much'], 2, /--scale/],
      [[...base, picture, '--mean', '1,2'], 1, /mean: expected 3 numbers/],
      [[...base, picture, '--mean', at('no.binaryproto')], 1, /no\.binaryproto/],
      [['classify', picture, ...net, '--labels', at('two.txt')], 1, /two\.txt: expected 3 labels/],
      [['classify', picture, '--model', at('net.prototxt'), '--weights', at('two.txt')], 1, /two\.txt/],
    ];
    for (const [words, expected, message] of cases) {
      const { code, stdout, stderr } = await inProcess(words);
      assert.equal(code, expected, `${words.join(' ')}: ${stderr}`);
      assert.equal(stdout, '');
      assert.match(stderr, message);
    }
  });

  describe('with SqueezeNet', () => {
    const real = realData('squeezenet');
    if (real === undefined) return;
    const recorded = JSON.parse(readFileSync(join(real, 'caffe_answers.json'), 'utf8')) as {
      order_of_pixels: string[];
      answers: Record<string, { top5: number[]; scores: number[] }>;
    };
    const squeezenet = [
      '--model',
      join(real, 'deploy.prototxt'),
      '--weights',
      join(real, 'squeezenet_v1.0.caffemodel.gz'),
    ];

    it("names the class that Caffe names on at least 95% of its pictures, and on all with Caffe's own pixels", async () => {
      const words = [
        'classify',
        join(real, 'images'),
        ...squeezenet,
        '--mean',
        '104,117,123',
        '--labels',
        join(real, 'synset_words.txt'),
        '--json',
      ];
      const { code, stdout, stderr } = await inProcess(words);
      assert.equal(code, 0, stderr);
      const list = JSON.parse(stdout) as Answer[];
      assert.equal(list.length, Object.keys(recorded.answers).length);
      const same = list.filter(
        ({ image, predictions }) => predictions![0]!.index === recorded.answers[basename(image)]!.top5[0],
      );
      assert.ok(same.length >= 0.95 * list.length, `${same.length} of ${list.length}`);

      const pixels = array(join(real, 'pixels_8x3x227x227_uint8.npy'));
      const scores = array(join(real, 'pool_final_8x1000.npy'));
      const { graph, weights } = await readNet(squeezenet[1]!, { weights: squeezenet[3]! });
      await using model = await compile(graph, { batch: 8 });
      await model.load(weights);
      const mean = [104, 117, 123];
      const data = pixels.data.map((v, i) => v - mean[Math.floor(i / (227 * 227)) % 3]!);
      const answer = (await model.forward({ data })).pool_final!.data;
      const worst = answer.reduce((most, v, i) => Math.max(most, Math.abs(v - scores.data[i]!)), 0);
      assert.ok(worst <= 1e-5 * Math.max(...scores.data), `off by ${worst}`);
      recorded.order_of_pixels.forEach((name, i) => {
        const own = Array.from(answer.subarray(1000 * i, 1000 * (i + 1)));
        assert.equal(own.indexOf(Math.max(...own)), recorded.answers[name]!.top5[0], name);
      });
    });
  });
});
