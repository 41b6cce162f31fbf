import { parentPort, workerData } from 'node:worker_threads';
import { CortadoError } from '../errors.js';
import { fromGroup, intoGroup } from './convert.js';
import { withFile } from './library.js';
import type { Answer, Task } from './run.js';
import type { Tree } from './tree.js';

/** Does one task and ends. */
async function answer(task: Task): Promise<Answer> {
  try {
    if (task.kind === 'read') return { tree: await withFile(task.path, 'r', (file) => fromGroup(file, task.values)) };
    await withFile(task.path, 'w', (file) => intoGroup(file, task.tree));
    return {};
  } catch (error) {
    if (error instanceof CortadoError) return { error: { code: error.code, message: error.message } };
    throw error;
  }
}

/** Handed over rather than copied. */
function* buffers(tree: Tree): Generator<ArrayBuffer> {
  for (const member of tree.members.values()) {
    if (member.kind === 'group') yield* buffers(member);
    else if (typeof member.values === 'object' && member.values.buffer instanceof ArrayBuffer)
      yield member.values.buffer;
  }
}

const made = await answer(workerData as Task);
parentPort?.postMessage(made, made.tree ? [...buffers(made.tree)] : []);
