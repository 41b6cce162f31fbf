import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { Failure } from '../command.js';
import type { KnownFile } from './known.js';

export interface DownloadOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (bytes: number, total: number) => void;
  /** Milliseconds without a byte after which the server counts as gone. Default 60 000. */
  readonly patience?: number;
}

export interface Downloaded {
  readonly bytes: number;
  /** Bytes of an earlier try that were there already. */
  readonly resumed: number;
  readonly digest: string;
}

const PATIENCE = 60_000;

/**
 * Downloads a file to `path`. What has come lies in `path.part` until the digest is checked; a later call goes on from
 * there.
 * @throws {Failure} saying what went wrong and what to do
 */
export async function download(
  known: KnownFile,
  address: string,
  path: string,
  options: DownloadOptions,
): Promise<Downloaded> {
  const part = `${path}.part`;
  const hash = createHash(known.digest.algorithm);
  const had = await hashFile(part, hash);
  const sofar = hash.copy().digest('hex');
  if (had > 0 && sofar.startsWith(known.digest.begins)) {
    await rename(part, path);
    return { bytes: had, resumed: had, digest: sofar };
  }
  const answer = await ask(address, had, options);
  // A server that cannot go on sends everything again.
  const goesOn = answer.status === 206 && beginsAt(answer) === had;
  const running = goesOn ? hash : createHash(known.digest.algorithm);
  const resumed = goesOn ? had : 0;
  const bytes = await receive(answer, part, resumed, running, options);
  const digest = running.digest('hex');
  if (!digest.startsWith(known.digest.begins)) {
    await rm(part, { force: true });
    throw new Failure(
      `cortado: ${address}: damaged or another file: its ${known.digest.algorithm} is ${digest}, expected ${known.digest.begins}…; what came has been deleted, try again`,
    );
  }
  await rename(part, path);
  return { bytes, resumed, digest };
}

/** Whether a file is the known one; undefined when it is not there. */
export async function isKnown(path: string, { digest }: KnownFile): Promise<boolean | undefined> {
  const hash = createHash(digest.algorithm);
  const size = await stat(path).catch(() => undefined);
  if (!size) return undefined;
  await hashFile(path, hash);
  return hash.digest('hex').startsWith(digest.begins);
}

/** Bytes of a file, which go into the hash; 0 when it is not there. */
async function hashFile(path: string, hash: Hash): Promise<number> {
  const there = await stat(path).catch(() => undefined);
  if (!there) return 0;
  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return bytes;
}

async function ask(address: string, from: number, { signal }: DownloadOptions): Promise<Response> {
  const request = async (headers: Record<string, string>): Promise<Response> => {
    try {
      return await fetch(address, { headers, signal });
    } catch (cause) {
      signal.throwIfAborted();
      const { message } = cause instanceof Error && cause.cause instanceof Error ? cause.cause : (cause as Error);
      throw new Failure(`cortado: ${address}: cannot be reached: ${message}`);
    }
  };
  let answer = await request(from > 0 ? { range: `bytes=${from}-` } : {});
  // Nothing behind what is here: it is whole already, or another file's.
  if (answer.status === 416) answer = await request({});
  if (answer.ok) return answer;
  throw new Failure(`cortado: ${address}: the server answers ${answer.status} ${answer.statusText}`);
}

function beginsAt({ headers }: Response): number {
  return Number(/^bytes (\d+)-/.exec(headers.get('content-range') ?? '')?.[1] ?? NaN);
}

async function receive(
  answer: Response,
  part: string,
  from: number,
  hash: Hash,
  { onProgress, signal, patience = PATIENCE }: DownloadOptions,
): Promise<number> {
  const expected = from + Number(answer.headers.get('content-length') ?? NaN);
  await using file = await open(part, from > 0 ? 'a' : 'w');
  let bytes = from;
  const reader = (answer.body as ReadableStream<Uint8Array> | null)?.getReader();
  try {
    for (;;) {
      const chunk = reader && (await within(reader.read(), patience));
      if (!chunk || chunk.done) break;
      hash.update(chunk.value);
      for (let at = 0; at < chunk.value.length;) at += (await file.write(chunk.value, at)).bytesWritten;
      onProgress((bytes += chunk.value.length), expected || bytes);
    }
  } catch (cause) {
    await reader?.cancel().catch(() => undefined);
    signal.throwIfAborted();
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Failure(`cortado: cut short after ${bytes} bytes: ${reason}; the same command goes on from there`);
  }
  if (expected && bytes !== expected)
    throw new Failure(`cortado: cut short after ${bytes} of ${expected} bytes; the same command goes on from there`);
  await file.sync();
  return bytes;
}

async function within<T>(promise: Promise<T>, patience: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came for ${patience / 1000} s`)), patience);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
