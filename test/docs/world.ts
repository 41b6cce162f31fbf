import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { importImages } from '../../lib/data/import.js';
import { inMemory, writeNpy, writeTensors } from '../../lib/formats/index.js';
import { compile, squeezenet } from '../../lib/index.js';
import { fixture } from '../onnx/support.js';
import { png, writeColours } from '../support/colours.js';
import { noise } from '../support/nets.js';
import { serving } from '../support/server.js';
import type { Application } from '../support/snippets.js';
import { colourFolder, writeSolver } from '../support/training.js';

/** Small files by the names that the guides mention. Their paths are those of the application's folder. */
export async function furnish(application: Application): Promise<void> {
  const at = (name: string): string => join(application.folder, name);
  await pictures(application, at);
  await writeColours(application.folder);
  application.write('deploy.prototxt', readFileSync(at('net.prototxt')));
  await importImages(at('photos/train'), at('lmdb'), { resize: [8, 8], shuffle: 1 });
  writeSolver(application.folder, 'lmdb');
  application.write('resnet18.onnx', readFileSync(fixture('resnet18-dynamo.onnx')));
  await writeNpy(at('x.npy'), noise([1, 3, 64, 64]));
  await stateDicts(at);
}

async function pictures(application: Application, at: (name: string) => string): Promise<void> {
  // Whatever their names say, files are told apart by their content.
  const [cat, dog] = await Promise.all([png('#b06020', 300, 280), png('#30a0f0', 300, 280)]);
  application.write('cat.jpg', cat);
  application.write('dog.jpg', dog);
  application.write('broken.jpg', cat.subarray(0, 60));
  for (const [part, each] of [
    ['train', 4],
    ['val', 2],
  ] as const)
    await colourFolder(at(`photos/${part}`), each, ['orchid', 'peru', 'teal']);
}

/** Files as torch.save writes them. */
async function stateDicts(at: (name: string) => string): Promise<void> {
  using model = await compile(squeezenet({ form: 'torchvision' }));
  await writeTensors(at('squeezenet1_0-b66bff10.pth'), inMemory(await model.weights()));
  const shapes = { 'conv.weight': [8, 3, 3, 3], 'conv.bias': [8], 'fc.weight': [10, 512], 'fc.bias': [10] };
  const tensors = Object.entries(shapes).map(([name, shape], i) => [name, noise(shape, i)] as const);
  await writeTensors(at('net.pth'), inMemory(Object.fromEntries(tensors)));
}

/** `cortado serve cifar10-full`; its end is as orderly as it should be. */
export async function serveCifar(): Promise<{ readonly host: string } & AsyncDisposable> {
  const served = await serving(['cifar10-full', '--log', 'silent']);
  return {
    host: new URL(served.url).host,
    async [Symbol.asyncDispose]() {
      served.process.kill('SIGTERM');
      assert.deepEqual(await served.ended, [0, null]);
    },
  };
}
