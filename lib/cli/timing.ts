import { compile } from '../compile.js';
import { GraphError } from '../errors.js';
import type { Graph, Value } from '../graph.js';
import { isLearned } from '../update.js';
import type { Peak } from '../probe.js';
import { Random } from '../random.js';
import type { StepTime } from '../runtime.js';
import { count, type Shape } from '../shape.js';
import { summarize, type LayerRow } from '../table.js';
import { ancestors, results } from '../wanted.js';

/** What one pass through a layer took, and how near that is to what the machine can do. */
export interface PassTime {
  /** Median over the iterations. */
  readonly milliseconds: number;
  readonly gflops: number;
  /** Counts what the pass must move at least, so caches can lift it above the memory's own rate. */
  readonly gbps: number;
  /** Time that peak arithmetic or peak memory traffic would need, whichever is longer, over the time taken. */
  readonly share: number;
}

export interface LayerTime {
  readonly name: string;
  readonly op: string;
  /** Missing where another layer's kernel does the work, as that of a convolution does the ReLU behind it. */
  readonly forward?: PassTime;
  readonly backward?: PassTime;
}

export interface Timing {
  readonly name: string;
  readonly batch: number;
  readonly threads: number;
  readonly iterations: number;
  readonly peak: Peak;
  readonly layers: readonly LayerTime[];
  readonly forward: PassTime;
  readonly backward?: PassTime;
}

export interface TimingOptions {
  readonly batch: number;
  readonly iterations: number;
  readonly backward: boolean;
  readonly device: string;
  readonly threads?: number | undefined;
  /** Inputs to run on; default: seeded noise, and zeros for labels. */
  readonly inputs?: Readonly<Record<string, Float32Array>>;
  /** Called after each iteration. */
  readonly onIteration?: (done: number) => void;
}

type Pass = 'forward' | 'backward';

/** Milliseconds, FLOPs and bytes of one pass through one layer. */
interface Work {
  readonly times: Float64Array;
  kernels: number;
  bytes: number;
}

/** Kernels whose work is as large as their layer's forward pass: gradients of inputs and of weights. */
const GRADIENT_KERNEL = /_[dw]grad$/;

/** Runs a net and times every kernel. @throws {GraphError} for backward through a net without a loss */
export async function timeNet(graph: Graph, peak: Peak, options: TimingOptions): Promise<Timing> {
  const { batch, iterations, backward, device, threads, onIteration } = options;
  if (backward && graph.losses.length === 0) {
    throw new GraphError(`${graph.name}: expected a net with a loss to time backward, such as its train_val.prototxt`);
  }
  const outputs = backward ? graph.losses : results(graph);
  const inputs = options.inputs ?? noise(graph, batch, outputs);
  const of = backward ? graph.parameters.filter(isLearned).map((v) => v.name) : [];
  await using model = await compile(graph, { device, batch, ...(threads === undefined ? {} : { threads }) });
  const runs: (readonly StepTime[])[] = [];
  for (let i = -1; i < iterations; i++) {
    const steps = await model.profile(inputs, backward ? { of } : { fetch: outputs.map((v) => v.name) });
    // The first run finds memory and caches cold.
    if (i >= 0) runs.push(steps);
    if (i >= 0) onIteration?.(i + 1);
  }
  return summarizeRuns(graph, runs, { ...options, peak, threads: model.threads });
}

function summarizeRuns(
  graph: Graph,
  runs: readonly (readonly StepTime[])[],
  { batch, iterations, backward, peak, threads }: TimingOptions & { peak: Peak; threads: number },
): Timing {
  const work = sortSteps(graph, runs);
  const rows = new Map(summarize(graph, batch).layers.map((row) => [row.name, row]));
  const passOf = (name: string, pass: Pass, row: LayerRow): PassTime | undefined => {
    const done = work.get(name)?.[pass];
    return done && passTime(median(done.times), Math.max(1, done.kernels) * row.flops, done.bytes, peak);
  };
  const layers = graph.nodes.map((node) => {
    const row = rows.get(node.name)!;
    const [there, back] = [passOf(node.name, 'forward', row), passOf(node.name, 'backward', row)];
    return { name: node.name, op: node.op.name, ...(there && { forward: there }), ...(back && { backward: back }) };
  });
  const total = (pass: Pass): PassTime => {
    const times = runs.map((_, i) => [...work.values()].reduce((sum, each) => sum + (each[pass]?.times[i] ?? 0), 0));
    const sum = (key: 'gflops' | 'gbps'): number =>
      layers.reduce((all, layer) => all + (layer[pass] ? layer[pass][key] * layer[pass].milliseconds * 1e6 : 0), 0);
    return passTime(median(times), sum('gflops'), sum('gbps'), peak);
  };
  return {
    name: graph.name,
    batch,
    threads,
    iterations,
    peak,
    layers,
    forward: total('forward'),
    ...(backward && { backward: total('backward') }),
  };
}

function passTime(milliseconds: number, flops: number, bytes: number, peak: Peak): PassTime {
  const [gflops, gbps] = [flops / milliseconds / 1e6, bytes / milliseconds / 1e6];
  return { milliseconds, gflops, gbps, share: Math.max(gflops / peak.gflops, gbps / peak.gbps) };
}

/** Adds up the kernels of each layer, forward and backward apart: backward begins where a loss is seeded. */
function sortSteps(graph: Graph, runs: readonly (readonly StepTime[])[]): Map<string, Partial<Record<Pass, Work>>> {
  const owners = new Map<string, string>();
  for (const value of graph.values) {
    if (typeof value.source === 'object' && 'node' in value.source) owners.set(value.name, value.source.node.name);
  }
  for (const node of graph.nodes) owners.set(node.name, node.name);
  const seeds = new Set(graph.losses.map((v) => `${v.name}.seed`));
  const work = new Map<string, Partial<Record<Pass, Work>>>();
  let pass: Pass = 'forward';
  runs[0]!.forEach(({ label, kernel, bytes }, step) => {
    if (seeds.has(label)) pass = 'backward';
    const owner = ownerOf(label, owners);
    if (owner === undefined) return;
    const passes = work.get(owner) ?? {};
    work.set(owner, passes);
    const own = (passes[pass] ??= { times: new Float64Array(runs.length), kernels: 0, bytes: 0 });
    own.bytes += bytes;
    if (GRADIENT_KERNEL.test(kernel)) own.kernels++;
    runs.forEach((steps, run) => (own.times[run]! += steps[step]!.milliseconds));
  });
  return work;
}

/** `conv1.dgrad` belongs to `conv1`; names may have dots themselves. */
function ownerOf(label: string, owners: ReadonlyMap<string, string>): string | undefined {
  for (let end = label.length; end > 0; end = label.lastIndexOf('.', end - 1)) {
    const owner = owners.get(label.slice(0, end));
    if (owner !== undefined) return owner;
  }
  return undefined;
}

function median(values: ArrayLike<number>): number {
  const sorted = Float64Array.from(values).sort();
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

/** Seeded numbers for the inputs that these values need: noise for images, zeros for labels. */
function noise(graph: Graph, batch: number, wanted: readonly Value[]): Record<string, Float32Array> {
  const { shapes } = graph.at(batch);
  const random = new Random(1);
  const read = ancestors(wanted);
  const needed = Object.entries(graph.inputs).filter(([, input]) => read.has(input));
  return Object.fromEntries(
    needed.map(([name, input]) => {
      const shape: Shape = shapes.get(input)!;
      const data = new Float32Array(count(shape));
      return [name, shape.length > 2 ? data.map(() => random.uniform(-1, 1)) : data];
    }),
  );
}
