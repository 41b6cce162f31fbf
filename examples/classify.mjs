// A picture named by a net of Caffe's:
// node examples/classify.mjs deploy.prototxt net.caffemodel labels.txt picture.jpg
import { readFileSync } from 'node:fs';
import { compile } from 'cortado';
import { readNet } from 'cortado/caffe';
import { decodeImage, preprocess } from 'cortado/images';

const [net, weights, labels, picture] = process.argv.slice(2);
const { graph, weights: values } = await readNet(net, { weights });
const model = await compile(graph);
await model.load(values);

const [input] = Object.keys(graph.inputs);
const [, , crop] = graph.inputs[input].shape;
const pixels = await preprocess(await decodeImage(picture), { resize: 256, crop, mean: [104, 117, 123] });
const [output] = Object.values(await model.forward({ [input]: pixels }));

const names = readFileSync(labels, 'utf8').split('\n');
const best = Array.from(output.data.keys()).sort((a, b) => output.data[b] - output.data[a]);
for (const index of best.slice(0, 5)) console.log(output.data[index].toFixed(4), names[index]);
model.dispose();
