import { once } from 'node:events';
import { rename, rm, open } from 'node:fs/promises';
import type { Worker } from 'node:worker_threads';
import { copySlowly } from '../bytes.js';
import { CortadoError, errorOf, FormatError, type ErrorCode } from '../errors.js';
import { startThread } from '../thread.js';
import type { Leaf, Numbers, Tree } from './tree.js';

/** What a worker is to do. */
export type Task =
  | { readonly kind: 'read'; readonly paths: readonly string[]; readonly values: boolean }
  | { readonly kind: 'write'; readonly path: string; readonly tree: Tree };

export interface Answer {
  readonly trees?: readonly Tree[];
  readonly error?: { readonly code: ErrorCode; readonly message: string };
}

/**
 * Reads a file, or only the names and shapes in it, in a thread of its own.
 * @throws {FormatError} when it is missing, cut short or no HDF5 file
 */
export async function readTree(path: string, options: { readonly values: boolean }): Promise<Tree> {
  return (await readTrees([path], options))[0]!;
}

/** Reads several files, one after the other, as readTree() does. */
export async function readTrees(
  paths: readonly string[],
  options: { readonly values: boolean },
): Promise<readonly Tree[]> {
  const { trees } = await run({ kind: 'read', paths, ...options });
  return trees!;
}

/** Writes a file in a thread; it appears under its name when it is complete. */
export async function writeTree(path: string, tree: Tree): Promise<void> {
  const unfinished = `${path}.${process.pid}.part`;
  try {
    await run({ kind: 'write', path: unfinished, tree: await shared(tree) });
    await using file = await open(unfinished, 'r+');
    await file.sync();
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

/** The same numbers where the worker can read them: what is posted to it would be copied at one go. */
async function shared(tree: Tree): Promise<Tree> {
  const members = new Map<string, Tree | Leaf>();
  for (const [name, member] of tree.members) {
    if (member.kind === 'group') members.set(name, await shared(member));
    else if (typeof member.values === 'object') members.set(name, { ...member, values: await share(member.values) });
    else members.set(name, member);
  }
  return { kind: 'group', members };
}

async function share(values: Numbers): Promise<Numbers> {
  const buffer = new SharedArrayBuffer(values.byteLength);
  await copySlowly(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), new Uint8Array(buffer), 0);
  return new (values.constructor as new (buffer: SharedArrayBuffer) => Numbers)(buffer);
}

/** The thread stays for this long after its last task, in milliseconds: to start one takes a good part of a second. */
const STAYS = 2000;

/** The thread that tasks are done in, one after the other, while there is one. */
let thread: Worker | undefined;
let last: Promise<unknown> = Promise.resolve();
let leaving: NodeJS.Timeout | undefined;

function run(task: Task): Promise<Answer> {
  const answer = last.then(() => ask(task));
  last = answer.catch(() => undefined);
  return answer;
}

async function ask(task: Task): Promise<Answer> {
  clearTimeout(leaving);
  const worker = (thread ??= startThread('./worker.js', import.meta.url));
  worker.ref();
  try {
    return await answerOf(worker, task);
  } finally {
    worker.unref();
    leaving = setTimeout(leave, STAYS).unref();
  }
}

function leave(): void {
  void thread?.terminate();
  thread = undefined;
}

async function answerOf(worker: Worker, task: Task): Promise<Answer> {
  const name = task.kind === 'read' ? task.paths.join(', ') : task.path;
  const done = new AbortController();
  const next = async (event: string): Promise<unknown[]> => once(worker, event, { signal: done.signal });
  worker.postMessage(task);
  try {
    const { trees, error } = await Promise.race([
      next('message').then(([answer]) => answer as Answer),
      next('exit').then(() => {
        throw new Error('ended without an answer');
      }),
    ]);
    if (error) throw errorOf(error.code, error.message);
    return trees ? { trees } : {};
  } catch (cause) {
    if (cause instanceof CortadoError) throw cause;
    // What has happened to the library, nobody knows.
    leave();
    throw new FormatError(`${name}: HDF5 failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  } finally {
    done.abort();
  }
}
