// Becomes one file: by esbuild, by Vite, or inside an executable. The gradient of ½ Σ (x − t)² is x − t.
import { compile, euclideanLoss, graph, input } from 'cortado';

async function main() {
  const net = graph({ x: input([3]), t: input([3]) }, ({ x, t }) => ({ loss: euclideanLoss(x, t) }));
  const model = await compile(net);
  const { gradients } = await model.backward({ x: [1, 2, 3], t: [1, 0, -1] }, { of: ['x'] });
  console.log(gradients.x.data.join());
  model.dispose();
}

main();
