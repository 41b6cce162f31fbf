import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { readNet, toCaffemodel, writeCaffemodel } from '../../lib/caffe/index.js';

/** Sees how much blue, green and red there is. */
const COLOURS = `name: "colours"
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 6 dim: 6 } } }
layer { name: "mean" type: "Pooling" bottom: "data" top: "mean" pooling_param { pool: AVE global_pooling: true } }
layer { name: "fc" type: "InnerProduct" bottom: "mean" top: "fc" inner_product_param { num_output: 3 bias_term: false } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }`;

/** Writes the net (net.prototxt, net.caffemodel, labels.txt) to a folder. Its classes are blue, green, red, or `labels`. */
export async function writeColours(folder: string, labels = ['blue', 'green', 'red']): Promise<void> {
  writeFileSync(join(folder, 'net.prototxt'), COLOURS);
  writeFileSync(join(folder, 'labels.txt'), `${labels.join('\n')}\n`);
  const { graph, layers, definition } = await readNet(join(folder, 'net.prototxt'));
  const weight = { data: Float32Array.of(0.1, 0, 0, 0, 0.1, 0, 0, 0, 0.1), shape: [3, 3] };
  const model = toCaffemodel({ layers, definition }, { [graph.parameters[0]!.name]: weight });
  await writeCaffemodel(join(folder, 'net.caffemodel'), model);
}

/** A flat picture as PNG. */
export function png(background: string, width = 20, height = 10): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 3, background } })
    .png()
    .toBuffer();
}
