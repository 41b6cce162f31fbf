import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';

/** Writes pictures of one colour each, in a folder for each class: a net knows them soon. */
export async function colourFolder(path: string, each = 4, colours = ['blue', 'green', 'red']): Promise<void> {
  for (const [i, background] of colours.entries()) {
    mkdirSync(join(path, background), { recursive: true });
    for (let k = 0; k < each; k++) {
      const plain = sharp({ create: { width: 8 + i, height: 9 + k, channels: 3, background } });
      await plain.png().toFile(join(path, background, `${k}.png`));
    }
  }
}

const LAYERS = (classes: number): string => `
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" param { lr_mult: 1 } param { lr_mult: 2 }
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" }
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc" param { lr_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
  inner_product_param { num_output: ${classes} weight_filler { type: "xavier" } } }
layer { name: "accuracy" type: "Accuracy" bottom: "fc" bottom: "label" top: "accuracy" include { phase: TEST } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }
`;

/** A small net for pictures of 8 × 8, as a train_val.prototxt whose data is fed. */
export function writeNet(path: string, classes = 3): string {
  const inputs = '{ dim: 4 dim: 3 dim: 8 dim: 8 }, { dim: 4 }'.replace(', ', ' shape ');
  writeFileSync(
    path,
    `name: "small"\nlayer { name: "in" type: "Input" top: "data" top: "label" input_param { shape ${inputs} } }${LAYERS(classes)}`,
  );
  return path;
}

/** The same with data layers, and its solver. @returns the path of the solver */
export function writeSolver(folder: string, source: string, more = ''): string {
  const layer = (phase: string): string => `
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: ${phase} }
  transform_param { mean_value: 100 mean_value: 110 mean_value: 120 scale: 0.01 }
  data_param { source: "${source}" batch_size: 4 backend: LMDB } }`;
  writeFileSync(join(folder, 'net.prototxt'), `name: "small"${layer('TRAIN')}${layer('TEST')}${LAYERS(3)}`);
  const path = join(folder, 'solver.prototxt');
  writeFileSync(
    path,
    `net: "net.prototxt" base_lr: 0.05 lr_policy: "step" gamma: 0.5 stepsize: 10 momentum: 0.9 weight_decay: 0.0005
test_iter: 3 test_interval: 10 display: 5 max_iter: 25 snapshot: 10 snapshot_prefix: "run" random_seed: 3 average_loss: 4
${more}`,
  );
  return path;
}
