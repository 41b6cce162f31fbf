import { readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import type { Command } from 'commander';
import { Option } from 'commander';
import { createServer, type Server } from '../serve/index.js';
import { BadUsage, computing, Failure, positiveInteger, print, printJson, type ComputeOptions } from './command.js';
import { version } from './version.js';

interface ServeOptions extends ComputeOptions {
  readonly host: string;
  readonly port: number;
  readonly batch: number;
  readonly latency: number;
  readonly queue: number;
  readonly timeout: number;
  readonly requestTimeout: number;
  readonly drainTimeout: number;
  readonly bodyLimit: number;
  readonly tokenFile?: string;
  readonly log: string;
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];

/** `cortado serve`: models over HTTP. */
export function register(command: Command): void {
  computing(command)
    .argument(
      '<model...>',
      'ready-made nets with weights, prototxt descriptions (JSON), or folders with a cortado.json; NAME=… gives a name',
    )
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <n>', 'port to listen on; 0 takes a free one', port, 8080)
    .option('--batch <n>', 'pictures of a run', positiveInteger, 32)
    .option('--latency <ms>', 'how long a picture waits for others that are being decoded', positiveInteger, 5)
    .option('--queue <n>', 'requests that a model has at a time; more get 503', positiveInteger, 256)
    .option('--timeout <ms>', 'in which an accepted request is answered, else 503', positiveInteger, 30_000)
    .option('--request-timeout <ms>', 'in which a client sends its request, else 408', positiveInteger, 60_000)
    .option('--drain-timeout <ms>', 'in which accepted requests are answered after SIGTERM', positiveInteger, 30_000)
    .option('--body-limit <mib>', 'size of a request', positiveInteger, 64)
    .option('--token-file <file>', 'with the bearer token that clients send (default: CORTADO_TOKEN, or none)')
    .addOption(new Option('--log <level>', 'what standard error is told, as JSON').choices(LEVELS).default('info'))
    .action(serve);
}

function port(text: string): number {
  if (/^\d+$/.test(text) && Number(text) < 2 ** 16) return Number(text);
  throw new BadUsage(`--port: expected a number from 0 to 65535, got '${text}'`);
}

async function serve(words: readonly string[], options: ServeOptions): Promise<void> {
  const { host, json, log: level, bodyLimit, tokenFile, verbose: _, drainTimeout, ...settings } = options;
  const token = tokenFile === undefined ? process.env.CORTADO_TOKEN : readToken(tokenFile);
  const server = await createServer({
    ...settings,
    models: named(words),
    bodyLimit: bodyLimit * 2 ** 20,
    version: version(),
    log: { stream: process.stderr, level },
    ...(token !== undefined && { token }),
  });
  await server.load();
  const address = await server.app.listen({ host, port: options.port });
  if (json) printJson({ address, models: server.models.names });
  else print(`${address}\n`);
  await untilStopped(server, drainTimeout);
}

/** Models by their names: those given, or what the files are called. */
function named(words: readonly string[]): Record<string, string> {
  const models: Record<string, string> = {};
  for (const word of words) {
    const [, given, source = word] = /^([\w.-]+)=(.+)$/.exec(word) ?? [];
    const name = given ?? basename(resolve(source)).replace(/\.(json|prototxt)$/, '');
    if (Object.hasOwn(models, name))
      throw new BadUsage(`model: expected names once, got "${name}" twice; NAME=… gives another`);
    models[name] = source;
  }
  return models;
}

function readToken(file: string): string {
  const token = readFileSync(file, 'utf8').trim();
  if (token === '') throw new BadUsage(`--token-file: expected a token in ${file}, got nothing`);
  return token;
}

/** SIGTERM and SIGINT end the server once its requests are answered; again, at once. SIGHUP loads the models anew. */
async function untilStopped(server: Server, milliseconds: number): Promise<void> {
  const reload = (): void => {
    for (const name of server.models.names) {
      server.models.load(name).then(
        () => server.app.log.info({ model: name }, 'loaded'),
        (error: unknown) => server.app.log.error({ model: name, err: error }, 'the old model stays'),
      );
    }
  };
  process.on('SIGHUP', reload);
  await new Promise<void>((stop) => {
    process.once('SIGTERM', () => stop()).once('SIGINT', () => stop());
  });
  process.off('SIGHUP', reload);
  server.app.log.info('no more requests are taken');
  const left = await server.drain(milliseconds);
  if (left > 0) throw new Failure(`cortado: ${left} requests were not answered in ${milliseconds} ms`);
  server.app.log.info('all requests are answered');
}
