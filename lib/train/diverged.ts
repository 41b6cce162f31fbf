import { DivergedError, NotFiniteError } from '../errors.js';
import type { Feed } from '../feed.js';
import type { Model } from '../model.js';
import { isLearned } from '../update.js';

type Inputs = Readonly<Record<string, Feed>>;

const ADVICE = 'lower the rate, clip the gradients, or look at the data';

/** What to say of a step that came to NaN or infinity and changed nothing: which layer began it. Runs the net once more. */
export async function notFinite(model: Model, inputs: Inputs, cause: NotFiniteError): Promise<DivergedError> {
  const of = model.graph.parameters.filter(isLearned).map((value) => value.name);
  // A step looks only at what guards its update; this looks at every result in its order.
  const first = await model.backward(inputs, { of, checkFinite: true }).then(
    () => undefined,
    (error: unknown) => error,
  );
  const where = first instanceof NotFiniteError ? first.where : cause.where;
  const iteration = model.iteration + 1;
  return new DivergedError(
    iteration,
    where,
    `iteration ${iteration}: NaN or infinity began in ${where}; the update (rate ${model.rate}) was not made; ${ADVICE}`,
    { cause },
  );
}

/** What to say of a loss that has grown beyond all bounds: the layer whose results have outgrown its input the most. */
export async function exploded(model: Model, inputs: Inputs, loss: number, first: number): Promise<DivergedError> {
  const layers = model.graph.nodes.filter((node) => node.arity > 0 && node.inputs.length > node.arity);
  const names = layers.flatMap((node) => [node.inputs[0]!.name, node.outputs[0]!.name]);
  const values = await model.forward(inputs, { phase: 'train', fetch: [...new Set(names)] });
  const growth = layers.map((node) => {
    const [before, after] = [node.inputs[0]!, node.outputs[0]!].map((value) => size(values[value.name]!.data));
    return { where: node.name, factor: after! / before! };
  });
  const worst = growth.reduce((a, b) => (b.factor > a.factor ? b : a), { where: model.graph.name, factor: 0 });
  const { iteration } = model;
  return new DivergedError(
    iteration,
    worst.where,
    `iteration ${iteration}: the loss has grown from ${first.toPrecision(4)} to ${loss.toPrecision(4)}; it began in ${worst.where}, whose results are ${worst.factor.toPrecision(3)} times as large as its input; ${ADVICE}`,
  );
}

/** Root mean square. */
function size(data: Float32Array): number {
  return Math.sqrt(data.reduce((sum, value) => sum + value * value, 0) / data.length);
}
