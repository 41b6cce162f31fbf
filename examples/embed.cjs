// The same package from CommonJS: node examples/embed.cjs
const { compile, lenet } = require('cortado');

async function main() {
  const model = await compile(lenet(), { batch: 4 });
  try {
    const data = new Float32Array(4 * 28 * 28).fill(0.5);
    const { prob } = await model.forward({ data });
    console.log('prob', prob.shape, 'memory', model.memoryUsage().total, 'bytes');
  } finally {
    model.dispose();
  }
}

main();
