// An op whose kernels are in C++: mish.cc, built to mish.node beside this file (docs/custom-ops.md says how).
import { createRequire } from 'node:module';
import { compile, dense, graph, input, sgd, softmaxLoss } from 'cortado';
import { defineOp, layer } from 'cortado/ops';

const { mish, mishGrad } = createRequire(import.meta.url)('./mish.node');

export const mishOp = defineOp({
  name: 'mish',
  attributes: ({ beta = 1 }) => ({ beta }),
  outputs: ([x]) => [{ shape: x }],
  forward: (e) => e.native(mish, e.inputs, e.outputs),
  backward(e) {
    const dx = e.temp(e.inputs[0].shape);
    e.native(mishGrad, [e.inputs[0], e.dy], [dx]);
    return [dx];
  },
});

const net = graph({ x: input([4]), label: input([]) }, ({ x, label }) => {
  const [hidden] = layer(mishOp, [dense(x, { name: 'fc1', units: 8 })], { name: 'mish', beta: 1 });
  return { hidden, loss: softmaxLoss(dense(hidden, { name: 'fc2', units: 3 }), label) };
});
const model = await compile(net, { batch: 3, device: 'cpu', solver: sgd({ rate: 0.1 }) });
const batch = { x: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0], label: [0, 1, 2] };
const { loss: before } = await model.step(batch);
for (let i = 0; i < 50; i++) await model.step(batch);
const { loss } = await model.step(batch);
console.log(loss < before / 2);
model.dispose();
