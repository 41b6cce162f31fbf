import {
  alexnet,
  cifar10Full,
  cifar10Quick,
  compile,
  sgd,
  type DeviceInputs,
  type Graph,
  type Model,
  type StepTime,
} from '../lib/index.js';
import type { Precision } from '../lib/passes/index.js';
import { median, noise, sample } from './timing.js';

/**
 * Where the inputs of a run are when it begins. `arrays`: in the host's memory, each run copies them. `ahead`: they were
 * uploaded while the run before computed, out of the same arrays. `device`: on the device, the same for all runs.
 */
export type InputsOf = 'arrays' | 'ahead' | 'device';

/** One workload: a net, run forward or trained. */
export interface NetRow {
  readonly who: string;
  readonly work: string;
  readonly batch: number;
  readonly ms: number;
  readonly imagesPerSecond: number;
  /** Runs that `ms` is the median of. */
  readonly repeats: number;
  /** On a GPU, where a run finds them there is half of what it takes. */
  readonly inputs?: InputsOf;
  /** One such run kernel by kernel, which adds some microseconds to each; the rest of `ms` is between and around them. */
  readonly kernels?: readonly StepTime[];
}

export interface Workload {
  readonly work: string;
  readonly batch: number;
  readonly net: () => Graph<'data' | 'label', 'prob' | 'loss' | 'accuracy'>;
  readonly train: boolean;
  /** Default float32. */
  readonly precision?: Precision;
  /** Default `arrays`. */
  readonly inputs?: InputsOf;
}

export const WORKLOADS: readonly Workload[] = [
  { work: 'bvlc/infer', batch: 1, net: alexnet, train: false },
  { work: 'bvlc/infer', batch: 64, net: alexnet, train: false },
  { work: 'bvlc/train', batch: 64, net: alexnet, train: true },
  { work: 'bvlc/infer', batch: 1, net: alexnet, train: false, precision: 'bfloat16' },
  { work: 'bvlc/infer', batch: 1, net: alexnet, train: false, precision: 'int8' },
  { work: 'bvlc/infer', batch: 64, net: alexnet, train: false, precision: 'bfloat16' },
  { work: 'bvlc/train', batch: 64, net: alexnet, train: true, precision: 'bfloat16' },
  { work: 'cifar10-quick/train', batch: 100, net: cifar10Quick, train: true },
  { work: 'cifar10-full/train', batch: 100, net: cifar10Full, train: true },
];

/** What all workloads are trained by. */
export const SOLVER = sgd({ rate: 1e-4, momentum: 0.9, weightDecay: 5e-4 });

/** How a row calls Cortado. */
export const whoOf = (precision: Precision): string => (precision === 'float32' ? 'cortado' : `cortado+${precision}`);

export async function benchNets(seconds: number, filter: RegExp, threads?: number): Promise<NetRow[]> {
  const rows: NetRow[] = [];
  for (const load of WORKLOADS)
    if (filter.test(`${load.work}/b${load.batch}`)) rows.push(await benchNet(load, seconds, threads));
  return rows;
}

/**
 * Training is forward, backward and the update: one native call. Inputs are copied in, unless told otherwise, and results
 * out, as a user's are.
 */
export async function benchNet(
  { work, batch, net, train, precision = 'float32', inputs }: Workload,
  seconds: number,
  threads?: number,
  device?: string,
): Promise<NetRow> {
  const graph = net();
  const settings = { batch, precision, ...(threads !== undefined && { threads }), ...(device && { device }) };
  const model = await compile(graph, train ? { ...settings, solver: SOLVER } : settings);
  try {
    const data = noise(
      graph.inputs.data.shape.reduce((a, b) => a * b, batch),
      100,
    );
    const label = Float32Array.from({ length: batch }, (_, i) => i % 10);
    const run = (given: Inputs): Promise<unknown> =>
      train ? model.step(given) : model.forward(given, { fetch: ['prob'] });
    using supplies = await supply(model, { data, label }, run, inputs);
    const times = await sample(supplies.run, seconds);
    const ms = median(times);
    const row = { who: whoOf(precision), work, batch, ms, imagesPerSecond: (1000 * batch) / ms, repeats: times.length };
    if (inputs !== 'device') return { ...row, ...(inputs && { inputs }) };
    const profile = (): Promise<readonly StepTime[]> =>
      model.profile(supplies.next(), train ? { update: true } : { fetch: ['prob'] });
    await profile();
    return { ...row, inputs, kernels: await profile() };
  } finally {
    model.dispose();
  }
}

type Arrays = Readonly<Record<'data' | 'label', Float32Array>>;
type Inputs = Arrays | DeviceInputs<'data' | 'label'>;

interface Supplies extends Disposable {
  readonly run: () => Promise<unknown>;
  /** What the next run is given. */
  readonly next: () => Inputs;
}

/** A run with its inputs where they are to be; disposed, it leaves none on the device. */
async function supply(
  model: Model<'data' | 'label'>,
  arrays: Arrays,
  run: (inputs: Inputs) => Promise<unknown>,
  inputs: InputsOf = 'arrays',
): Promise<Supplies> {
  if (inputs === 'arrays') return { run: () => run(arrays), next: () => arrays, [Symbol.dispose]: () => undefined };
  let next = await model.upload(arrays);
  const ahead = async (): Promise<void> => {
    using here = next;
    const running = run(here);
    next = await model.upload(arrays);
    await running;
  };
  return {
    run: inputs === 'device' ? () => run(next) : ahead,
    next: () => next,
    [Symbol.dispose]: () => next.dispose(),
  };
}
