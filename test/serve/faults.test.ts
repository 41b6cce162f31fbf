/** Clients that go, stall, flood or lie, and an end under load: no accepted request is lost. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { readNet, toCaffemodel, writeCaffemodel } from '../../lib/caffe/index.js';
import { png, writeColours } from '../support/colours.js';
import { listening, serving, type Served } from '../support/server.js';

interface Reply {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly body: string;
}

/** One request on a connection of the agent. Rejected when no whole answer comes. */
function post(url: string, body: Uint8Array, agent: Agent): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', agent, headers: { 'content-length': body.length } }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(pieces).toString();
        if (!response.complete) reject(new Error('cut short'));
        else resolve({ status: response.statusCode!, retryAfter: response.headers['retry-after'], body: text });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** What comes back on a connection of its own until the server closes it. */
function raw(url: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    let got = '';
    const socket = connect(Number(port), hostname, () => socket.write(text));
    socket
      .on('data', (piece) => (got += piece.toString()))
      .on('close', () => resolve(got))
      .on('error', reject);
  });
}

/** SqueezeNet-sized work without its weights: a net whose runs take a while. */
const SLOW = `name: "slow"
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 64 dim: 64 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 64 kernel_size: 9 bias_term: false } }
layer { name: "conv2" type: "Convolution" bottom: "conv" top: "conv2" convolution_param { num_output: 64 kernel_size: 9 bias_term: false } }
layer { name: "mean" type: "Pooling" bottom: "conv2" top: "mean" pooling_param { pool: AVE global_pooling: true } }
layer { name: "prob" type: "Softmax" bottom: "mean" top: "prob" }`;

describe('a server and its clients', function () {
  this.timeout(120_000);
  const folder = mkdtempSync(join(tmpdir(), 'cortado-faults-'));
  const slow = join(folder, 'slow');
  let red: Buffer;

  before(async () => {
    red = await png('#f00');
    await writeColours(folder);
    const description = { weights: 'net.caffemodel', labels: 'labels.txt' };
    writeFileSync(join(folder, 'cortado.json'), JSON.stringify({ model: './net.prototxt', ...description }));
    await writeSlow(slow);
  });
  after(() => rmSync(folder, { recursive: true }));

  it('goes on after clients that leave in the middle of a request, or of its answer', async () => {
    const server = await listening({ models: { slow }, batch: 2, requestTimeout: 5000 });
    const { hostname, port } = new URL(server.url);
    const head = `POST /v2/models/slow/classify HTTP/1.1\r\nhost: x\r\ncontent-length: ${red.length}\r\n\r\n`;
    const leave = async (bytes: Uint8Array, after: number): Promise<void> => {
      const socket = connect(Number(port), hostname, () => socket.write(Buffer.concat([Buffer.from(head), bytes])));
      socket.on('error', () => undefined);
      await setTimeout(after);
      socket.destroy();
    };
    await Promise.all([
      ...Array.from({ length: 10 }, () => leave(red.subarray(0, 20), 20)),
      ...Array.from({ length: 10 }, () => leave(red, 30)),
    ]);
    const agent = new Agent({ keepAlive: true });
    const { status } = await post(`${server.url}/v2/models/slow/classify`, red, agent);
    assert.equal(status, 200);
    assert.equal(server.models.get('slow').users, 0);
    agent.destroy();
    assert.equal(await server.drain(5000), 0);
  });

  it('does not wait for clients that send slowly, nor let them hold up others', async () => {
    const server = await listening({ models: { colours: folder }, requestTimeout: 500, queue: 2 });
    const head = 'POST /v2/models/colours/classify HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n';
    const stalled = Array.from({ length: 20 }, () => raw(server.url, `${head}abc`));
    const agent = new Agent({ keepAlive: true });
    for (let i = 0; i < 5; i++)
      assert.equal((await post(`${server.url}/v2/models/colours/classify`, red, agent)).status, 200);
    for (const answer of await Promise.all(stalled)) assert.match(answer, /^HTTP\/1\.1 408 /);
    agent.destroy();
    await server.drain(5000);
  });

  it('refuses what is no HTTP, and bodies that are too large, and goes on', async () => {
    const server = await listening({ models: { colours: folder }, bodyLimit: 1000 });
    assert.match(await raw(server.url, 'hello\r\n\r\n'), /^HTTP\/1\.1 400 /);
    const large = 'POST /v2/models/colours/infer HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000000\r\n\r\n';
    assert.match(await raw(server.url, large.replace('host: x', 'host: x\r\nconnection: close')), /^HTTP\/1\.1 413 /);
    const chunked = `POST /v2/models/colours/infer HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n7d0\r\n${'x'.repeat(2000)}\r\n0\r\n\r\n`;
    assert.match(await raw(server.url, chunked), /^HTTP\/1\.1 413 /);
    const agent = new Agent({ keepAlive: true });
    assert.equal((await post(`${server.url}/v2/models/colours/classify`, red, agent)).status, 200);
    agent.destroy();
    await server.drain(5000);
  });

  it('turns away what its queue has no room for, and what takes too long, with a time to try again', async () => {
    const server = await listening({ models: { slow }, batch: 1, queue: 3 });
    const agent = new Agent({ keepAlive: true, maxSockets: 30 });
    const path = `${server.url}/v2/models/slow/classify`;
    const replies = await Promise.all(Array.from({ length: 30 }, () => post(path, red, agent)));
    const statuses = replies.map(({ status }) => status);
    assert.ok(statuses.filter((status) => status === 200).length >= 3, statuses.join(' '));
    const busy = replies.filter(({ status }) => status === 503);
    assert.ok(busy.length > 0, statuses.join(' '));
    for (const { retryAfter, body } of busy) {
      assert.equal(retryAfter, '1');
      assert.match((JSON.parse(body) as { error: string }).error, /3 requests are waiting/);
    }
    await server.drain(5000);
    const hasty = await listening({ models: { slow }, batch: 1, timeout: 15 });
    const late = await Promise.all(
      Array.from({ length: 20 }, () => post(`${hasty.url}/v2/models/slow/classify`, red, agent)),
    );
    assert.ok(late.some(({ status, retryAfter }) => status === 503 && retryAfter === '1'));
    assert.equal(hasty.models.get('slow').users, 0);
    agent.destroy();
    await hasty.drain(5000);
  });

  describe('that is stopped under load', () => {
    let served: Served;
    before(async () => {
      served = await serving([`slow=${slow}`, '--batch', '4', '--log', 'info']);
    });

    it('answers every request that it has accepted, turns others away, and ends with 0', async () => {
      const agent = new Agent({ keepAlive: true });
      const counts = { answered: 0, refused: 0, unconnected: 0 };
      let stopped = false;
      const client = async (): Promise<void> => {
        for (;;) {
          try {
            const { status, body } = await post(`${served.url}/v2/models/slow/classify`, red, agent);
            if (status === 200) assert.equal((JSON.parse(body) as { predictions: unknown[] }).predictions.length, 5);
            else assert.equal(status, 503);
            counts[status === 200 ? 'answered' : 'refused']++;
          } catch (error) {
            // A connection that the server closed while nothing was on it, or that it never took.
            assert.ok(stopped, String(error));
            assert.match(String(error), /ECONNREFUSED|ECONNRESET|socket hang up|EPIPE/);
            counts.unconnected++;
            return;
          }
        }
      };
      const clients = Array.from({ length: 24 }, client);
      while (counts.answered < 24) await setTimeout(5);
      stopped = true;
      served.process.kill('SIGTERM');
      await Promise.all(clients);
      agent.destroy();
      assert.deepEqual(await served.ended, [0, null]);
      // The server's own count of answers is the clients': none was made that did not arrive.
      const logged = served.log.filter(({ msg, status }) => msg === 'answered' && status === 200);
      assert.equal(logged.length, counts.answered);
      assert.equal(served.log.at(-1)!.msg, 'all requests are answered');
    });
  });

  it('says why it cannot start, and loads anew at SIGHUP', async () => {
    await assert.rejects(serving(['alexnet']), /weights: expected a file/);
    await assert.rejects(serving([folder, `${folder}/`]), /names once/);
    const served = await serving([`colours=${folder}`], { CORTADO_TOKEN: 'secret' });
    const headers = { authorization: 'Bearer secret' };
    assert.equal((await fetch(`${served.url}/v2/models/colours`)).status, 401);
    assert.equal((await fetch(`${served.url}/v2/models/colours`, { headers })).status, 200);
    served.process.kill('SIGHUP');
    while (!served.log.some(({ msg }) => msg === 'loaded')) await setTimeout(5);
    served.process.kill('SIGTERM');
    assert.deepEqual(await served.ended, [0, null]);
  });
});

async function writeSlow(path: string): Promise<void> {
  mkdirSync(path);
  writeFileSync(join(path, 'net.prototxt'), SLOW);
  const { graph, layers, definition } = await readNet(join(path, 'net.prototxt'));
  const weights = graph.parameters.map(({ name, shape }) => {
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1e-4);
    return [name, { data, shape }] as const;
  });
  const model = toCaffemodel({ layers, definition }, Object.fromEntries(weights));
  await writeCaffemodel(join(path, 'net.caffemodel'), model);
  writeFileSync(join(path, 'cortado.json'), JSON.stringify({ model: './net.prototxt', weights: 'net.caffemodel' }));
}
