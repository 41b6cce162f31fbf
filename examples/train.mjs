// Teaches AlexNet what is on your pictures: node examples/train.mjs FOLDER, with FOLDER/CLASS/*.jpg.
import { adam, alexnet, compile, rates } from 'cortado';
import { imageFolder, openLoader } from 'cortado/data';
import { evaluate, train } from 'cortado/train';

const [folder = 'photos', iterations = 300, batch = 20] = process.argv.slice(2);
const settings = { resize: 256, crop: [227, 227], mirror: true, mean: [104, 117, 123] };
const pictures = await imageFolder(folder, settings);
const loader = await openLoader(pictures, { batch: +batch, phase: 'train' });
const rate = rates.cosine({ base: 1e-4, iterations: +iterations });
const net = alexnet({ classes: pictures.classes.length });
const model = await compile(net, { batch: +batch, solver: adam({ rate }) });

for await (const { iteration, averageLoss, imagesPerSecond } of train(model, loader, {
  iterations: +iterations,
  averageLoss: 10,
}))
  if (iteration % 10 === 0) console.log(iteration, averageLoss.toFixed(3), `${imagesPerSecond.toFixed(0)} images/s`);

const seen = await openLoader(pictures, { batch: +batch, phase: 'test' });
console.log(
  `${(100 * (await evaluate(model, seen)).metrics.accuracy).toFixed(1)}% of ${pictures.length} pictures right`,
);
await Promise.all([loader.close(), seen.close()]);
