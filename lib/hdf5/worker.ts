import { parentPort } from 'node:worker_threads';
import { CortadoError } from '../errors.js';
import { fromGroup, intoGroup } from './convert.js';
import { withFile } from './library.js';
import type { Answer, Task } from './run.js';
import type { Tree } from './tree.js';

/** Does one task. */
async function answer(task: Task): Promise<Answer> {
  try {
    if (task.kind === 'read') return { trees: await readAll(task.paths, task.values) };
    await withFile(task.path, 'w', (file) => intoGroup(file, task.tree));
    return {};
  } catch (error) {
    if (error instanceof CortadoError) return { error: { code: error.code, message: error.message } };
    throw error;
  }
}

async function readAll(paths: readonly string[], values: boolean): Promise<Tree[]> {
  const trees: Tree[] = [];
  for (const path of paths) trees.push(await withFile(path, 'r', (file) => fromGroup(file, values)));
  return trees;
}

/** Handed over rather than copied. */
function* buffers(tree: Tree): Generator<ArrayBuffer> {
  for (const member of tree.members.values()) {
    if (member.kind === 'group') yield* buffers(member);
    else if (typeof member.values === 'object' && member.values.buffer instanceof ArrayBuffer)
      yield member.values.buffer;
  }
}

const port = parentPort!;
let last = Promise.resolve();
port.on('message', (task: Task) => {
  last = last.then(async () => {
    const made = await answer(task);
    port.postMessage(
      made,
      (made.trees ?? []).flatMap((tree) => [...buffers(tree)]),
    );
  });
});
