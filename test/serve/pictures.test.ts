/** Pictures over HTTP; tokens, documentation, metrics. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { Server } from '../../lib/serve/index.js';
import { png, writeColours } from '../support/colours.js';
import { listening } from '../support/server.js';

interface Told {
  readonly name?: string;
  readonly predictions?: readonly { readonly label: string; readonly score: number; readonly index: number }[];
  readonly error?: string;
}

interface Embedded {
  readonly name?: string;
  readonly model_name?: string;
  readonly model_version?: string;
  readonly embedding?: { readonly shape: readonly number[]; readonly data: readonly number[] };
  readonly error?: string;
  readonly pictures?: readonly Embedded[];
}

describe('cortado serve', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cortado-pictures-'));
  const lines: string[] = [];
  let server: Server & { readonly url: string };
  let red: Buffer;

  const relabel = (labels: readonly string[]): void =>
    writeFileSync(
      join(folder, 'cortado.json'),
      JSON.stringify({ model: './net.prototxt', weights: 'net.caffemodel', labels }),
    );

  before(async () => {
    await writeColours(folder);
    relabel(['blue', 'green', 'red']);
    red = await png('#f00');
    const stream = new PassThrough().on('data', (chunk) => lines.push(String(chunk)));
    const settings = { token: 'open sesame', bodyLimit: 100_000, batch: 4, log: { stream, level: 'info' } };
    server = await listening({ models: { colours: folder }, ...settings });
  });
  after(async () => {
    await server.drain(5000);
    rmSync(folder, { recursive: true });
  });

  const classify = async (
    body: Buffer | FormData,
    query = '',
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: Told & { readonly pictures?: readonly Told[] } }> => {
    const response = await fetch(`${server.url}/v2/models/colours/classify${query}`, {
      method: 'POST',
      body: body instanceof FormData ? body : new Uint8Array(body),
      headers: { authorization: 'Bearer open sesame', ...headers },
    });
    return { status: response.status, body: (await response.json()) as Told };
  };

  const embed = async (body: Buffer | FormData, query = ''): Promise<{ status: number; body: Embedded }> => {
    const response = await fetch(`${server.url}/v2/models/colours/embed${query}`, {
      method: 'POST',
      body: body instanceof FormData ? body : new Uint8Array(body),
      headers: { authorization: 'Bearer open sesame' },
    });
    return { status: response.status, body: (await response.json()) as Embedded };
  };

  it('gives features of pictures, of a layer that is named too', async () => {
    const { status, body } = await embed(red);
    assert.deepEqual([status, body.model_name, body.model_version], [200, 'colours', '1']);
    assert.deepEqual(body.embedding, { shape: [3], data: [0, 0, 255] });
    assert.deepEqual((await embed(red, '?layer=fc')).body.embedding!.data.map(Math.fround), [0, 0, Math.fround(25.5)]);
    assert.equal((await embed(red, '?layer=none')).status, 400);
    assert.equal((await embed(Buffer.from('bad'))).status, 400);
    const form = new FormData();
    form.append('a', new Blob([new Uint8Array(red)]), 'a.png');
    form.append('b', new Blob(['bad']), 'b.png');
    const told = (await embed(form)).body.pictures!;
    assert.deepEqual(told[0], { name: 'a.png', embedding: body.embedding });
    assert.match(told[1]!.error!, /damaged|picture/);
  });

  it('names what is on a picture that is the body, whatever its type is said to be', async () => {
    for (const type of ['image/png', 'application/octet-stream', 'text/plain']) {
      const { status, body } = await classify(red, '?top=2', { 'content-type': type });
      assert.equal(status, 200);
      assert.deepEqual([body.predictions!.length, body.predictions![0]!.label], [2, 'red']);
    }
  });

  it('names what is on pictures of a form, and tells which is damaged', async () => {
    const form = new FormData();
    form.append('a', new Blob([new Uint8Array(red)]), 'red.png');
    form.append('b', new Blob(['garbage']), 'garbage.png');
    form.append('c', new Blob([new Uint8Array(await png('#00f'))]), 'blue.png');
    const { status, body } = await classify(form);
    assert.equal(status, 200);
    const [first, second, third] = body.pictures!;
    assert.deepEqual([first!.name, first!.predictions![0]!.label], ['red.png', 'red']);
    assert.deepEqual([third!.name, third!.predictions![0]!.label], ['blue.png', 'blue']);
    assert.match(second!.error!, /not a picture/);
  });

  it('answers misuse with an error object', async () => {
    const form = new FormData();
    form.append('large', new Blob([new Uint8Array(200_000)]), 'large.png');
    const cases: [Buffer | FormData, string, number, RegExp][] = [
      [Buffer.from('garbage'), '', 400, /not a picture/],
      [red.subarray(0, 50), '', 400, /damaged/],
      [Buffer.alloc(0), '', 400, /expected a picture, got nothing/],
      [red, '?top=0', 400, /top/],
      [red, '?top=x', 400, /top/],
      [Buffer.alloc(200_000), '', 413, /too large/i],
      [form, '', 413, /too large/i],
      [new FormData(), '', 400, /expected files/],
    ];
    for (const [body, query, expected, message] of cases) {
      const answer = await classify(body, query);
      assert.equal(answer.status, expected, String(message));
      assert.match(answer.body.error!, message);
    }
  });

  it('wants its token, but not for probes and documentation', async () => {
    const status = async (path: string, authorization?: string): Promise<number> => {
      const response = await fetch(`${server.url}${path}`, { headers: authorization ? { authorization } : {} });
      await response.arrayBuffer();
      return response.status;
    };
    for (const path of ['/v2', '/v2/models/colours', '/metrics']) {
      assert.equal(await status(path), 401);
      assert.equal(await status(path, 'Bearer open'), 401);
      assert.equal(await status(path, 'Bearer open sesame'), 200);
    }
    for (const path of ['/v2/health/live', '/v2/health/ready', '/v2/models/colours/ready', '/docs/json', '/docs/'])
      assert.equal(await status(path), 200, path);
  });

  it('documents every route as OpenAPI', async () => {
    const { openapi, paths } = (await (await fetch(`${server.url}/docs/json`)).json()) as {
      openapi: string;
      paths: Record<string, object>;
    };
    assert.match(openapi, /^3\.1/);
    const ofModel = ['', '/ready', '/infer', '/classify', '/embed'];
    const expected = [
      ...['/v2', '/v2/health/live', '/v2/health/ready', '/metrics', '/v2/repository/index'],
      ...ofModel.flatMap((what) => [`/v2/models/{model}${what}`, `/v2/models/{model}/versions/{version}${what}`]),
      ...['/v2/repository/models/{model}/load', '/v2/repository/models/{model}/unload'],
    ];
    assert.deepEqual(Object.keys(paths).sort(), expected.sort());
  });

  it('counts for Prometheus, and logs a line for each request', async () => {
    await Promise.all(Array.from({ length: 8 }, () => classify(red)));
    const response = await fetch(`${server.url}/metrics`, { headers: { authorization: 'Bearer open sesame' } });
    assert.match(response.headers.get('content-type')!, /^text\/plain/);
    const text = await response.text();
    const value = (name: string): number => Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
    assert.ok(
      value(
        'cortado_request_seconds_count{route="/v2/models/:model/classify",status="200"}'.replaceAll(/[{}]/g, '\\$&'),
      ) >= 8,
    );
    assert.ok(value('cortado_run_rows_sum\\{model="colours"\\}') >= 8);
    assert.ok(value('cortado_run_rows_count\\{model="colours"\\}') >= 1);
    assert.equal(value('cortado_pending_requests\\{model="colours"\\}'), 0);
    assert.ok(value('process_cpu_seconds_total') > 0);
    const logged = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const line = logged.find(({ url }) => url === '/v2/models/colours/classify?top=2')!;
    assert.deepEqual([line.method, line.status, typeof line.milliseconds], ['POST', 200, 'number']);
    assert.ok(!lines.join('').includes('sesame'));
  });

  it('changes a model while requests go on, and keeps the old one when the new one fails', async () => {
    let stop = false;
    const labels = new Set<string | undefined>();
    const load = async (): Promise<void> => {
      while (!stop) {
        const { status, body } = await classify(red);
        assert.equal(status, 200);
        labels.add(body.predictions![0]!.label);
      }
    };
    const loads = [load(), load(), load()];
    const reload = async (): Promise<number> => {
      const path = `${server.url}/v2/repository/models/colours/load`;
      const response = await fetch(path, { method: 'POST', headers: { authorization: 'Bearer open sesame' } });
      await response.arrayBuffer();
      return response.status;
    };
    relabel(['bleu', 'vert', 'rouge']);
    assert.equal(await reload(), 200);
    assert.equal((await classify(red)).body.predictions![0]!.label, 'rouge');
    relabel(['one']);
    assert.equal(await reload(), 400);
    assert.equal((await classify(red)).body.predictions![0]!.label, 'rouge');
    stop = true;
    await Promise.all(loads);
    assert.ok([...labels].every((label) => label === 'red' || label === 'rouge'));
  });
});
