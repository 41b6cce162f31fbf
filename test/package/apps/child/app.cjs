// As Electron's utilityProcess is used: a process of its own answers by messages.
const { fork } = require('node:child_process');

if (process.send) {
  const { compile, lenet } = require('cortado');
  process.once('message', async (value) => {
    const model = await compile(lenet());
    const { prob } = await model.forward({ data: new Float32Array(28 * 28).fill(value) });
    process.send(prob.data.reduce((a, b) => a + b));
    process.disconnect();
  });
} else {
  const child = fork(__filename);
  child.once('message', (sum) => console.log(sum.toFixed(3)));
  child.send(0.5);
}
