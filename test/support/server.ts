import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { createServer, type Server, type ServerOptions } from '../../lib/serve/index.js';
import { commandLine } from './cli.js';

/** A server in this process, listening on a free port of the loopback. */
export async function listening(options: ServerOptions): Promise<Server & { readonly url: string }> {
  const server = await createServer(options);
  await server.load();
  const url = await server.app.listen({ host: '127.0.0.1', port: 0 });
  return { ...server, url };
}

/** `cortado serve` in a process of its own. */
export interface Served {
  readonly url: string;
  readonly process: ChildProcess;
  /** Lines of its log. */
  readonly log: readonly Readonly<Record<string, unknown>>[];
  /** Its exit code and signal. */
  readonly ended: Promise<readonly [number | null, string | null]>;
}

export async function serving(words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Served> {
  const child = spawn(process.execPath, [...commandLine(), 'serve', '--port', '0', ...words], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log: Record<string, unknown>[] = [];
  createInterface(child.stderr).on('line', (line) => {
    log.push(line.startsWith('{') ? (JSON.parse(line) as Record<string, unknown>) : { msg: line });
  });
  const ended = once(child, 'exit') as Promise<[number | null, string | null]>;
  const first = once(createInterface(child.stdout), 'line') as Promise<[string]>;
  const said = await Promise.race([first, ended]);
  if (typeof said[0] !== 'string') throw new Error(`the server ended: ${JSON.stringify(log)}`);
  return { url: said[0], process: child, log, ended };
}
