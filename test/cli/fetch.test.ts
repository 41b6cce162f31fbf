import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { download } from '../../lib/cli/fetch/download.js';
import { KNOWN, type KnownFile } from '../../lib/cli/fetch/known.js';
import { inProcess } from '../support/in-process.js';

const content = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919) % 251));
const sha256 = createHash('sha256').update(content).digest('hex');

const known = (begins: string): KnownFile => ({
  file: 'x.bin',
  address: 'http://nowhere.invalid/x.bin',
  digest: { algorithm: 'sha256', begins, source: 'this test' },
  model: 'none',
});

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** All of it, or from where the range begins. */
const ranges: Answer = ({ headers }, response) => {
  const from = Number(/bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0);
  if (from >= content.length) return void response.writeHead(416).end();
  const range = { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` };
  response.writeHead(from > 0 ? 206 : 200, { 'content-length': content.length - from, ...(from > 0 && range) });
  response.end(content.subarray(from));
};

const whole: Answer = (_, response) => void response.writeHead(200, { 'content-length': content.length }).end(content);

const cut: Answer = (_, response) => {
  response.writeHead(200, { 'content-length': content.length });
  response.write(content.subarray(0, 100_000), () => setTimeout(() => response.destroy(), 50));
};

const stalled: Answer = (_, response) => {
  response.writeHead(200, { 'content-length': content.length });
  response.write(content.subarray(0, 100_000));
};

describe('cortado fetch', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cortado-fetch-'));
  const path = join(folder, 'x.bin');
  let answer: Answer = ranges;
  let asked: IncomingMessage[] = [];
  let server: Server;
  let address: string;

  before((done) => {
    server = createServer((request, response) => {
      asked.push(request);
      answer(request, response);
    }).listen(0, '127.0.0.1', () => {
      address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x.bin`;
      done();
    });
  });
  beforeEach(() => {
    asked = [];
    for (const file of [path, `${path}.part`]) rmSync(file, { force: true });
  });
  after((done) => {
    rmSync(folder, { recursive: true });
    server.closeAllConnections();
    server.close(done);
  });

  const get = (file = known(sha256), patience?: number) => {
    const seen: number[] = [];
    const options = {
      signal: new AbortController().signal,
      onProgress: (bytes: number, total: number) => void seen.push(bytes, total),
      ...(patience !== undefined && { patience }),
    };
    return download(file, address, path, options).then((got) => ({ ...got, seen }));
  };

  it('downloads, checks and shows how far it is', async () => {
    answer = ranges;
    const { bytes, resumed, digest, seen } = await get(known(sha256.slice(0, 8)));
    assert.deepEqual([bytes, resumed, digest], [content.length, 0, sha256]);
    assert.deepEqual(seen.slice(-2), [content.length, content.length]);
    assert.ok(readFileSync(path).equals(content));
    assert.ok(!existsSync(`${path}.part`));
  });

  it('goes on where it was cut off', async () => {
    answer = cut;
    await assert.rejects(get(), /cut short after 100000 .*the same command goes on from there/);
    assert.ok(!existsSync(path));
    answer = ranges;
    const { bytes, resumed } = await get();
    assert.deepEqual([bytes, resumed], [content.length, 100_000]);
    assert.equal(asked.at(-1)!.headers.range, 'bytes=100000-');
    assert.ok(readFileSync(path).equals(content));
  });

  it('begins again where the server cannot go on, or has nothing more', async () => {
    writeFileSync(`${path}.part`, content.subarray(0, 1000));
    answer = whole;
    assert.equal((await get()).resumed, 0);
    writeFileSync(`${path}.part`, Buffer.alloc(content.length + 5));
    answer = ranges;
    assert.equal((await get()).resumed, 0);
    assert.ok(readFileSync(path).equals(content));
    writeFileSync(`${path}.part`, content);
    asked = [];
    assert.equal((await get()).resumed, content.length);
    assert.equal(asked.length, 0);
  });

  it('keeps nothing that is not what the publisher says', async () => {
    answer = ranges;
    await assert.rejects(get(known('00000000')), new RegExp(`its sha256 is ${sha256}, expected 00000000`));
    assert.ok(!existsSync(path) && !existsSync(`${path}.part`));
  });

  it('tells what the server says, that it is silent, or not there', async () => {
    answer = (_, response) => void response.writeHead(404).end();
    await assert.rejects(get(), /the server answers 404 Not Found/);
    answer = stalled;
    await assert.rejects(get(known(sha256), 200), /cut short after 100000 bytes: nothing came for 0\.2 s/);
    const options = { signal: new AbortController().signal, onProgress: () => undefined };
    await assert.rejects(download(known(sha256), 'http://127.0.0.1:9/x', path, options), /cannot be reached/);
  });

  it('stops when it is told to, and keeps what has come', async () => {
    answer = stalled;
    const controller = new AbortController();
    const options = { signal: controller.signal, onProgress: () => controller.abort(new Error('interrupted')) };
    await assert.rejects(download(known(sha256), address, path, options), { message: 'interrupted' });
    assert.equal(readFileSync(`${path}.part`).length, 100_000);
  });

  it('knows its files by digests, and refuses others', async () => {
    for (const { digest, file } of Object.values(KNOWN)) {
      assert.match(digest.begins, digest.algorithm === 'sha1' ? /^[0-9a-f]{40}$/ : /^[0-9a-f]{8}$/);
      assert.ok(digest.algorithm === 'sha1' || file.includes(digest.begins));
    }
    const unknown = await inProcess(['fetch', 'vgg']);
    assert.deepEqual([unknown.code, unknown.stdout], [2, '']);
    assert.match(unknown.stderr, /expected one of alexnet, .*"vgg"/);
    answer = ranges;
    const wrong = await inProcess(['fetch', 'alexnet', '--from', address, '--output', path]);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /its sha1 is [0-9a-f]{40}, expected 9116a64c/);
    writeFileSync(path, 'mine');
    const taken = await inProcess(['fetch', 'alexnet', '--from', address, '--output', path]);
    assert.match(taken.stderr, /is there, but is not bvlc_alexnet\.caffemodel/);
    assert.equal(readFileSync(path, 'utf8'), 'mine');
  });
});
