// A window of nine ones over a field of 5 × 5 ones sees nine, at an edge six, in a corner four; five are taken off, and
// nothing falls below zero: 9 · 4 + 12 · 1 + 4 · 0.
const { compile, constant, conv2d, graph, input, relu } = require('cortado');

async function main() {
  const params = { weight: { filler: constant(1) }, bias: { filler: constant(-5) } };
  const net = graph({ x: input([1, 5, 5]) }, ({ x }) => ({
    y: relu(conv2d(x, { filters: 1, kernel: 3, pad: 1, params })),
  }));
  const model = await compile(net);
  const { y } = await model.forward({ x: new Float32Array(25).fill(1) });
  console.log(y.data.reduce((a, b) => a + b));
  model.dispose();
}

main();
