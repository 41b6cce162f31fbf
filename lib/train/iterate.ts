import { NotFiniteError } from '../errors.js';
import type { Graph } from '../graph.js';
import type { Model, StepResult } from '../model.js';
import type { Tensor } from '../tensor.js';
import { isLearned } from '../update.js';
import { notFinite } from './diverged.js';
import { Means, scalars } from './evaluate.js';
import type { Feeder } from './feeder.js';
import type { Inputs } from './inputs.js';
import type { Batch } from '../data/loader.js';
import { statisticsOf, type Statistics } from './statistics.js';
import type { StepStatistics, TrainStep } from './step.js';

/** What an iteration gives by itself. */
export type Iteration = Pick<
  TrainStep,
  'iteration' | 'loss' | 'rate' | 'metrics' | 'imagesPerSecond' | 'milliseconds' | 'waited' | 'bad' | 'statistics'
> & { readonly batch: Batch };

/** Where iterations take what they need. */
export interface Supplies {
  readonly model: Model;
  readonly inputs: Inputs;
  readonly feeder: Feeder;
  readonly signal: AbortSignal | undefined;
}

/**
 * One iteration: as many runs as the solver's `iterSize` says, the last of which updates.
 * @param last whether none will follow
 * @throws {DivergedError} when the loss or a gradient is not finite; nothing has been changed then
 */
export async function iterate(
  { model, inputs, feeder, signal }: Supplies,
  { last, statistics }: { readonly last: boolean; readonly statistics: boolean },
): Promise<Iteration> {
  const started = performance.now();
  const runs = model.solver!.iterSize;
  const { rate } = model;
  const outputs = metricsOf(model.graph);
  const means = new Means(outputs);
  const wanted = statistics ? watched(model) : undefined;
  const bad: Batch['bad'][number][] = [];
  let waited = 0;
  for (let run = 1; ; run++) {
    const taken = await feeder.need(last && run === runs);
    const { batch } = taken;
    waited += taken.waited;
    bad.push(...batch.bad);
    const feeds = inputs.feed(batch);
    const ends = run === runs;
    const result = await model
      .step(feeds, { ...(ends && wanted), ...(signal && { signal }) })
      .catch(async (error: unknown) => {
        throw error instanceof NotFiniteError ? await notFinite(model, feeds, error) : error;
      });
    means.add(
      outputs.map(([name]) => result.outputs[name]!),
      batch.size,
    );
    if (!ends) continue;
    const milliseconds = performance.now() - started;
    return {
      iteration: model.iteration,
      loss: result.loss,
      rate,
      metrics: means.get(),
      imagesPerSecond: (1000 * means.weight) / milliseconds,
      milliseconds,
      waited,
      ...(bad.length > 0 && { bad }),
      ...(wanted && { statistics: await measured(result, wanted) }),
      batch,
    };
  }
}

/** Outputs that are one number, less the losses. */
function metricsOf(graph: Graph): ReturnType<typeof scalars> {
  return scalars(graph).filter(([, value]) => !graph.losses.includes(value));
}

/** Names of what statistics are made of: the first result of every layer, the gradient of every learned parameter. */
interface Watched {
  readonly fetch: readonly string[];
  readonly of: readonly string[];
}

function watched({ graph }: Model): Watched {
  const results = graph.nodes.flatMap((node) => node.outputs[0]?.name ?? []);
  return { fetch: [...new Set(results)], of: graph.parameters.filter(isLearned).map((value) => value.name) };
}

async function measured({ outputs, gradients }: StepResult<string>, { fetch, of }: Watched): Promise<StepStatistics> {
  const each = async (
    names: readonly string[],
    tensors: Readonly<Record<string, Tensor>>,
  ): Promise<Record<string, Statistics>> => {
    const made: Record<string, Statistics> = {};
    for (const name of names) made[name] = await statisticsOf(tensors[name]!.data);
    return made;
  };
  return { activations: await each(fetch, outputs), gradients: await each(of, gradients) };
}
