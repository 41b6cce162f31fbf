// Learns a line from its points: y = 2 x + 1.
import { CortadoError, compile, dense, euclideanLoss, graph, input, sgd, type Model } from 'cortado';

const net = graph({ x: input([1]), y: input([1]) }, ({ x, y }) => {
  const guess = dense(x, { name: 'line', units: 1 });
  return { guess, loss: euclideanLoss(guess, y) };
});
const model: Model<'x' | 'y', 'guess' | 'loss'> = await compile(net, { batch: 4, solver: sgd({ rate: 0.3 }) });
const x = Float32Array.of(-1, 0, 1, 2);
for (let i = 0; i < 200; i++) await model.step({ x, y: x.map((v) => 2 * v + 1) });
const { guess } = await model.forward({ x: Float32Array.of(10) });
console.log(Math.round(guess.data[0]! * 1000) / 1000);

// @ts-expect-error: the graph has no such input
const refusal = await model.forward({ z: x }).catch((error: unknown) => error);
if (!(refusal instanceof CortadoError)) throw refusal;
model.dispose();
