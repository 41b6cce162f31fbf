// A net of one's own, forward and backward, from an ES module: node examples/embed.mjs
import { compile, conv2d, dense, graph, input, maxPool, relu, softmax, softmaxLoss } from 'cortado';

const net = graph({ image: input([3, 32, 32]), label: input([]) }, ({ image, label }) => {
  let x = relu(conv2d(image, { name: 'conv1', filters: 16, kernel: 5, pad: 2 }));
  x = maxPool(x, { kernel: 3, stride: 2 });
  const logits = dense(x, { name: 'fc', units: 10 });
  return { prob: softmax(logits), loss: softmaxLoss(logits, label) };
});

const model = await compile(net, { batch: 8, seed: 1 });

const image = new Float32Array(2 * 3 * 32 * 32).fill(0.5); // two pictures; eight would fit
const { prob } = await model.forward({ image });
console.log('prob', prob.shape, 'sum', prob.data.reduce((a, b) => a + b, 0).toFixed(4));

const { loss, gradients } = await model.backward({ image, label: [3, 7] }, { of: ['conv1.weight', 'image'] });
console.log('loss', loss.toFixed(4), 'gradient of conv1.weight', gradients['conv1.weight'].shape);

model.dispose(); // or `using model = …` in TypeScript
