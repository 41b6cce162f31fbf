/**
 * The Open Inference Protocol's text, rule by rule (specification/protocol/inference_rest.md of
 * github.com/kserve/open-inference-protocol), and its extensions for binary tensors and model repositories.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Server } from '../../lib/serve/index.js';
import { compile, trained } from '../../lib/index.js';
import { png, writeColours } from '../support/colours.js';
import { listening } from '../support/server.js';

type Json = Readonly<Record<string, unknown>>;

interface Output {
  readonly name: string;
  readonly shape: readonly number[];
  readonly datatype: string;
  readonly data?: readonly number[];
  readonly parameters?: { readonly binary_data_size?: number };
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Json & { readonly outputs?: readonly Output[]; readonly error?: string };
  /** What follows the JSON. */
  readonly bytes: Buffer;
}

describe('the Open Inference Protocol', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cortado-protocol-'));
  let server: Server & { readonly url: string };

  before(async () => {
    await writeColours(folder);
    writeFileSync(
      join(folder, 'cortado.json'),
      JSON.stringify({ model: './net.prototxt', weights: 'net.caffemodel', labels: 'labels.txt' }),
    );
    server = await listening({ models: { colours: folder, cifar: 'cifar10-quick' }, batch: 4, version: '1.2.3' });
  });
  after(async () => {
    await server.drain(5000);
    rmSync(folder, { recursive: true });
  });

  const ask = async (
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> => {
    const sent =
      body instanceof Uint8Array || typeof body === 'string' ? body : body === undefined ? null : JSON.stringify(body);
    const response = await fetch(`${server.url}${path}`, {
      method,
      body: sent,
      headers: { ...(sent !== null && { 'content-type': 'application/json' }), ...headers },
    });
    const all = Buffer.from(await response.arrayBuffer());
    const length = Number(response.headers.get('inference-header-content-length') ?? all.length);
    const text = all.subarray(0, length).toString();
    return {
      status: response.status,
      headers: response.headers,
      body: (text === '' ? {} : JSON.parse(text)) as Answer['body'],
      bytes: all.subarray(length),
    };
  };
  const get = (path: string): Promise<Answer> => ask('GET', path);
  const infer = (body: unknown, headers: Record<string, string> = {}, model = 'colours'): Promise<Answer> =>
    ask('POST', `/v2/models/${model}/infer`, body, headers);

  /** Pictures of one colour each: (n, 3, 6, 6). */
  const pixels = (...colours: readonly (readonly [number, number, number])[]): number[] =>
    colours.flatMap((colour) => colour.flatMap((value) => Array.from({ length: 36 }, () => value)));
  const input = (data: unknown, shape: readonly number[] = [1, 3, 6, 6], more: Json = {}): Json => ({
    ...{ name: 'data', shape, datatype: 'FP32', data },
    ...more,
  });
  const red = pixels([0, 0, 100]);

  describe('health', () => {
    it('says that the server lives and is ready', async () => {
      for (const path of ['/v2/health/live', '/v2/health/ready']) {
        const { status, body } = await get(path);
        assert.equal(status, 200);
        assert.equal(body.live, true);
      }
    });

    it('says by name whether a model is ready', async () => {
      const { status, body } = await get('/v2/models/colours/ready');
      assert.deepEqual([status, body], [200, { name: 'colours', ready: true }]);
      assert.equal((await get('/v2/models/none/ready')).status, 404);
    });
  });

  describe('metadata', () => {
    it('names the server, its version and its extensions', async () => {
      const { status, body } = await get('/v2');
      assert.equal(status, 200);
      assert.deepEqual([body.name, body.version], ['cortado', '1.2.3']);
      assert.ok((body.extensions as string[]).includes('binary_tensor_data'));
    });

    it('describes a model: platform, inputs and outputs with -1 for what may vary', async () => {
      const { status, body } = await get('/v2/models/colours');
      assert.equal(status, 200);
      assert.deepEqual(body, {
        name: 'colours',
        versions: ['1'],
        platform: 'cortado',
        inputs: [{ name: 'data', datatype: 'FP32', shape: [-1, 3, 6, 6] }],
        outputs: [{ name: 'prob', datatype: 'FP32', shape: [-1, 3] }],
      });
      // Labels are inputs of a loss; an answer does not need them.
      const cifar = (await get('/v2/models/cifar')).body;
      assert.deepEqual(
        [cifar.inputs, cifar.outputs],
        [
          [{ name: 'data', datatype: 'FP32', shape: [-1, 3, 32, 32] }],
          [{ name: 'prob', datatype: 'FP32', shape: [-1, 10] }],
        ],
      );
    });

    it('answers with an error object for a model or version that is not there', async () => {
      for (const path of ['/v2/models/none', '/v2/models/colours/versions/7', '/v3']) {
        const { status, body } = await get(path);
        assert.equal(status, 404);
        assert.equal(typeof body.error, 'string');
      }
    });
  });

  describe('inference', () => {
    it('answers with the outputs, the name of the model and the id of the request', async () => {
      const { status, headers, body } = await infer({ id: '42', inputs: [input(red)] });
      assert.equal(status, 200);
      assert.match(headers.get('content-type')!, /^application\/json/);
      assert.deepEqual([body.model_name, body.model_version, body.id], ['colours', '1', '42']);
      const [output] = body.outputs!;
      assert.deepEqual([output!.name, output!.datatype, output!.shape], ['prob', 'FP32', [1, 3]]);
      assert.ok(output!.data![2]! > 0.99);
      assert.ok(!('id' in (await infer({ inputs: [input(red)] })).body));
    });

    it('takes nested data, and any number of rows: more than a run takes too', async () => {
      const nested = [0, 0, 100].map((value) =>
        Array.from({ length: 6 }, () => Array.from({ length: 6 }, () => value)),
      );
      const once = (await infer({ inputs: [input([nested])] })).body.outputs![0]!.data;
      assert.deepEqual(once, (await infer({ inputs: [input(red)] })).body.outputs![0]!.data);
      const colours = Array.from(
        { length: 11 },
        (_, i) => [0, 1, 2].map((c) => (c === i % 3 ? 90 : 0)) as [number, number, number],
      );
      const { body } = await infer({ inputs: [input(pixels(...colours), [11, 3, 6, 6])] });
      const [output] = body.outputs!;
      assert.deepEqual(output!.shape, [11, 3]);
      for (let i = 0; i < 11; i++) assert.ok(output!.data![3 * i + (i % 3)]! > 0.99, `row ${i}`);
    });

    it('gives the outputs that are asked for, and an error for others', async () => {
      const { body } = await infer({ inputs: [input(red)], outputs: [{ name: 'prob' }] });
      assert.equal(body.outputs!.length, 1);
      const { status, body: refused } = await infer({ inputs: [input(red)], outputs: [{ name: 'fc' }] });
      assert.equal(status, 400);
      assert.match(refused.error!, /expected outputs among prob, got "fc"/);
    });

    it('computes what the model computes', async () => {
      const { graph, weights } = await trained('cifar10-quick');
      using model = await compile(graph);
      await model.load(weights);
      const data = Float32Array.from({ length: 3072 }, (_, i) => Math.sin(i) * 50);
      const { prob } = await model.forward({ data }, { fetch: ['prob'] });
      const { body } = await infer({ inputs: [input(Array.from(data), [1, 3, 32, 32])] }, {}, 'cifar');
      assert.deepEqual(body.outputs![0]!.data, Array.from(prob!.data));
    });

    it('takes every type of number that it knows, within its range', async () => {
      const expected = (await infer({ inputs: [input(red)] })).body.outputs;
      for (const datatype of 'UINT8 UINT16 UINT32 UINT64 INT8 INT16 INT32 INT64 FP64'.split(' '))
        assert.deepEqual(
          (await infer({ inputs: [input(red, [1, 3, 6, 6], { datatype })] })).body.outputs,
          expected,
          datatype,
        );
      const booleans = Array.from({ length: 108 }, (_, i) => i > 71);
      assert.equal((await infer({ inputs: [input(booleans, [1, 3, 6, 6], { datatype: 'BOOL' })] })).status, 200);
    });

    it('answers with 400 and an error object that names the fault', async () => {
      const cases: [unknown, RegExp][] = [
        ['{', /JSON/],
        ['', /JSON/],
        ['[]', /the body: expected an object/],
        [{}, /inputs: expected a list/],
        [{ inputs: [] }, /expected input "data"/],
        [{ inputs: [7] }, /inputs\[0\]: expected an object/],
        [{ id: 7, inputs: [input(red)] }, /id: expected a string/],
        [{ inputs: [input(red), input(red)] }, /"data" twice/],
        [{ inputs: [input(red, [1, 3, 6, 6], { name: 'dat' })] }, /expected input "data"/],
        [{ inputs: [input(red), input(red, [1, 3, 6, 6], { name: 'more' })] }, /"more"/],
        [{ inputs: [input(red, [1, 3, 6, 6], { datatype: 'FP16' })] }, /datatype: expected FP16 as bytes/],
        [
          { inputs: [input(red, [1, 3, 6, 6], { datatype: 'BYTES' })] },
          /datatype: expected one of BOOL, .*got "BYTES"/,
        ],
        [{ inputs: [input(red, [1, 3, 6, 7])] }, /expected 126 elements .*got 108/],
        [{ inputs: [input(red, [1, 3, 36])] }, /data: expected shape \(N, 3, 6, 6\)/],
        [{ inputs: [input(red, [1, 3, 6, -6])] }, /shape: expected whole extents/],
        [{ inputs: [input([], [0, 3, 6, 6])] }, /data: expected shape/],
        [{ inputs: [input(red, [2 ** 40, 3, 6, 6])] }, /shape: expected whole extents/],
        [{ inputs: [input([...red.slice(1), 'x'])] }, /data: cannot hold "x"/],
        [{ inputs: [input([...red.slice(1), null])] }, /data: cannot hold null/],
        [{ inputs: [input([...red.slice(1), 256], [1, 3, 6, 6], { datatype: 'UINT8' })] }, /cannot hold 256/],
        [{ inputs: [input([...red.slice(1), 0.5], [1, 3, 6, 6], { datatype: 'INT32' })] }, /cannot hold 0\.5/],
        [{ inputs: [input(red)], outputs: [{ name: 7 }] }, /outputs\[0\]\.name: expected a string/],
        [{ inputs: [input(red)], parameters: { binary_data_output: 1 } }, /binary_data_output: expected true or false/],
      ];
      for (const [body, message] of cases) {
        const { status, body: answer } = await infer(body);
        assert.equal(status, 400, JSON.stringify(body).slice(0, 80));
        assert.match(answer.error!, message);
      }
      assert.equal((await infer({ inputs: [input(red)] }, {}, 'none')).status, 404);
      assert.equal((await get('/v2/models/colours/infer')).status, 404);
    });
  });

  describe('binary tensors', () => {
    /** A request whose tensors are bytes: the JSON, then they. */
    const binary = (request: unknown, ...tensors: readonly Uint8Array[]): [Buffer, Record<string, string>] => {
      const header = Buffer.from(JSON.stringify(request));
      const headers = {
        'content-type': 'application/octet-stream',
        'inference-header-content-length': String(header.length),
      };
      return [Buffer.concat([header, ...tensors]), headers];
    };
    const described = (array: Float32Array | Uint8Array | Uint16Array | BigInt64Array, datatype = 'FP32'): Json => ({
      ...{ name: 'data', shape: [1, 3, 6, 6], datatype },
      parameters: { binary_data_size: array.byteLength },
    });
    const bytesOf = (array: ArrayBufferView): Uint8Array =>
      new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    const floats = Float32Array.from(red);

    it('are read behind the JSON, wherever they begin, and written there', async () => {
      const expected = (await infer({ inputs: [input(red)] })).body.outputs![0]!.data!;
      for (const id of ['', 'a', 'ab', 'abc']) {
        const request = {
          id,
          inputs: [described(floats)],
          outputs: [{ name: 'prob', parameters: { binary_data: true } }],
        };
        const answer = await infer(...binary(request, bytesOf(floats)));
        assert.equal(answer.status, 200);
        assert.equal(answer.headers.get('content-type'), 'application/octet-stream');
        assert.deepEqual(answer.body.outputs![0], {
          ...{ name: 'prob', shape: [1, 3], datatype: 'FP32' },
          parameters: { binary_data_size: 12 },
        });
        const got = Array.from({ length: 3 }, (_, i) => answer.bytes.readFloatLE(4 * i));
        assert.deepEqual(got, expected);
        assert.equal(answer.bytes.length, 12);
      }
    });

    it('are asked for for all outputs, or for one, which counts more', async () => {
      const all = { inputs: [input(red)], parameters: { binary_data_output: true } };
      assert.equal((await infer(all)).bytes.length, 12);
      const { bytes, body } = await infer({ ...all, outputs: [{ name: 'prob', parameters: { binary_data: false } }] });
      assert.deepEqual([bytes.length, body.outputs![0]!.data!.length], [0, 3]);
    });

    it('may be of other types', async () => {
      const expected = (await infer({ inputs: [input(red)] })).body.outputs;
      const small = Uint8Array.from(red);
      assert.deepEqual((await infer(...binary({ inputs: [described(small, 'UINT8')] }, small))).body.outputs, expected);
      const large = BigInt64Array.from(red, BigInt);
      assert.deepEqual(
        (await infer(...binary({ inputs: [described(large, 'INT64')] }, bytesOf(large)))).body.outputs,
        expected,
      );
    });

    it('may be half as long', async () => {
      const expected = (await infer({ inputs: [input(red)] })).body.outputs;
      // 100 is 0x5640 as FP16 and 0x42c8 as BF16; 0 is 0.
      for (const [datatype, hundred] of Object.entries({ FP16: 0x5640, BF16: 0x42c8 })) {
        const half = Uint16Array.from(red, (value) => (value === 100 ? hundred : 0));
        const answer = await infer(...binary({ inputs: [described(half, datatype)] }, bytesOf(half)));
        assert.deepEqual(answer.body.outputs, expected, datatype);
      }
    });

    it('are refused when lengths do not fit', async () => {
      const [body, headers] = binary({ inputs: [described(floats)] }, bytesOf(floats));
      const changed = (length: string): Record<string, string> => ({
        ...headers,
        'inference-header-content-length': length,
      });
      const cases: [Buffer, Record<string, string>, RegExp][] = [
        [body.subarray(0, -4), headers, /expected 432 bytes/],
        [Buffer.concat([body, Buffer.alloc(3)]), headers, /the body: expected \d+ bytes as its tensors say/],
        [body, changed('5'), /JSON/],
        [body, changed('1000000'), /expected a whole number up to/],
        [body, changed('-1'), /expected a whole number/],
        [body, changed('x'), /expected a whole number/],
        [...binary({ inputs: [{ ...described(floats), data: red }] }, bytesOf(floats)), /got both/],
        [...binary({ inputs: [described(new Float32Array(4))] }, bytesOf(floats)), /expected 432 bytes/],
      ];
      for (const [bytes, given, message] of cases) {
        const { status, body: answer } = await infer(bytes, given);
        assert.equal(status, 400, String(message));
        assert.match(answer.error!, message);
      }
    });
  });

  describe('versions of a model', () => {
    const at = (version: string): string => join(folder, 'versions', version);
    const write = async (version: string, labels: readonly string[]): Promise<void> => {
      mkdirSync(at(version), { recursive: true });
      await writeColours(at(version));
      writeFileSync(
        join(at(version), 'cortado.json'),
        JSON.stringify({ model: './net.prototxt', weights: 'net.caffemodel', labels }),
      );
    };
    const named = async (path: string): Promise<unknown> => {
      const response = await fetch(`${versioned.url}/v2/models/colours${path}/classify?top=1`, {
        method: 'POST',
        body: new Uint8Array(await png('#f00')),
      });
      const { model_version: version, predictions } = (await response.json()) as Json & {
        predictions?: { label: string }[];
      };
      return [response.status, version, predictions?.[0]!.label];
    };
    let versioned: Server & { readonly url: string };

    before(async () => {
      await write('9', ['b9', 'g9', 'r9']);
      await write('10', ['b10', 'g10', 'r10']);
      mkdirSync(at('drafts'));
      versioned = await listening({ models: { colours: join(folder, 'versions') } });
    });
    after(() => versioned.drain(5000));

    it('are served side by side, the newest where none is named', async () => {
      const told = (await (await fetch(`${versioned.url}/v2/models/colours`)).json()) as Json;
      assert.deepEqual(told.versions, ['10', '9']);
      assert.deepEqual(await named(''), [200, '10', 'r10']);
      assert.deepEqual(await named('/versions/9'), [200, '9', 'r9']);
      for (const [path, status] of Object.entries({ '/9': 200, '/9/ready': 200, '/7': 404, '/7/ready': 404 }))
        assert.equal((await fetch(`${versioned.url}/v2/models/colours/versions${path}`)).status, status, path);
      const response = await fetch(`${versioned.url}/v2/models/colours/versions/9/infer`, {
        method: 'POST',
        body: JSON.stringify({ inputs: [input(red)] }),
      });
      assert.equal(((await response.json()) as Json).model_version, '9');
      assert.deepEqual(await named('/versions/7'), [404, undefined, undefined]);
    });

    it('come and go when the model is loaded anew', async () => {
      await write('11', ['b11', 'g11', 'r11']);
      rmSync(at('9'), { recursive: true });
      await versioned.models.load('colours');
      assert.deepEqual(versioned.models.versions('colours'), ['11', '10']);
      assert.deepEqual(await named(''), [200, '11', 'r11']);
      assert.deepEqual(await named('/versions/9'), [404, undefined, undefined]);
    });

    it('stay what they were where they cannot be loaded', async () => {
      writeFileSync(join(at('11'), 'cortado.json'), '{');
      await assert.rejects(versioned.models.load('colours'), { code: 'FORMAT' });
      assert.deepEqual(await named(''), [200, '11', 'r11']);
    });
  });

  describe('the model repository', () => {
    it('lists, unloads and loads', async () => {
      const states = async (body?: Json): Promise<unknown> => (await ask('POST', '/v2/repository/index', body)).body;
      const ready = (name: string): Json => ({ name, version: '1', state: 'READY', reason: '' });
      assert.deepEqual(await states(), [ready('colours'), ready('cifar')]);
      assert.equal((await ask('POST', '/v2/repository/models/cifar/unload')).status, 200);
      assert.deepEqual(await states({ ready: true }), [ready('colours')]);
      assert.deepEqual(await states(), [
        ready('colours'),
        { name: 'cifar', version: '1', state: 'UNAVAILABLE', reason: 'unloaded' },
      ]);
      assert.equal((await get('/v2/health/ready')).status, 503);
      assert.equal((await get('/v2/models/cifar/ready')).status, 503);
      const refused = await infer({ inputs: [input(red)] }, {}, 'cifar');
      assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '1']);
      assert.equal((await ask('POST', '/v2/repository/models/cifar/load')).status, 200);
      assert.equal((await get('/v2/health/ready')).status, 200);
      assert.equal((await ask('POST', '/v2/repository/models/none/load')).status, 404);
    });
  });
});
