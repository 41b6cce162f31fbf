import { compile } from './compile.js';
import { UsageError } from './errors.js';
import { fixedInput, graph, type Graph, type InputSpec } from './graph.js';
import type { Model, RunOptions } from './model.js';
import { resolve, type Op } from './op.js';
import * as definitions from './ops/index.js';
import type { Precision } from './passes/index.js';
import type { Tensor, TensorData } from './tensor.js';

/** Where and how an eager call runs. */
export interface EagerOptions extends RunOptions {
  readonly device?: string;
  readonly threads?: number;
  readonly seed?: number;
  /** What products round their inputs to, as in `compile`. Default float32. */
  readonly precision?: Precision;
}

/** A tensor handed to an eager call. */
export type Operand = Tensor<TensorData>;

/** One op, called at once on tensors: inputs first, parameters behind them. The same plan, kernels and checks as in a graph. */
export interface Eager<O extends object> {
  (inputs: readonly Operand[], options?: Partial<O> & EagerOptions): Promise<readonly Tensor[]>;
  /**
   * Gradients of every input and parameter (zeros where none flows back), from those of the outputs. For a loss, `dys` may
   * be left out: backward then starts from 1.
   */
  backward(
    inputs: readonly Operand[],
    dys: readonly (Operand | undefined)[],
    options?: Partial<O> & EagerOptions,
  ): Promise<readonly Tensor[]>;
}

type Definitions = typeof definitions;
type OptionsOf<T> = T extends Op<infer O, infer _A> ? O : never;
type Eagers = {
  readonly [K in keyof Definitions as K extends `${infer Name}Op` ? Name : never]: Eager<OptionsOf<Definitions[K]>>;
};

/** Every op by its name: `ops.conv2d([x, weight, bias], { stride: 4 })`, `ops.conv2d.backward([x, weight, bias], [dy], { stride: 4 })`. */
export const ops = Object.fromEntries(
  Object.entries(definitions)
    .filter(([key]) => key.endsWith('Op'))
    .map(([key, op]) => [key.slice(0, -2), eager(op as unknown as Op)]),
) as unknown as Eagers;

/** Makes the eager call of an op definition, one's own included. @throws what the op, compile and the run throw */
export function eager<O extends object>(op: Op<O>): Eager<O> {
  const forward = (inputs: readonly Operand[], options: Partial<O> & EagerOptions = {}): Promise<readonly Tensor[]> =>
    withModel(op, inputs, options, async (model, feeds) => {
      const outputs = await model.forward(feeds, { phase: 'train', ...options });
      return Object.keys(model.graph.outputs).map((name) => outputs[name]!);
    });
  const backward = (
    inputs: readonly Operand[],
    dys: readonly (Operand | undefined)[],
    options: Partial<O> & EagerOptions = {},
  ): Promise<readonly Tensor[]> =>
    withModel(op, inputs, options, async (model, feeds) => {
      const names = Object.keys(model.graph.outputs);
      const from = Object.fromEntries(dys.flatMap((dy, i) => (dy ? [[names[i] ?? missingOutput(op, i), dy]] : [])));
      const of = Object.keys(model.graph.inputs);
      const started = Object.keys(from).length > 0 ? { from } : {};
      const { gradients } = await model.backward(feeds, { ...options, of, ...started });
      return of.map((name) => gradients[name]!);
    });
  return Object.assign(forward, { backward });
}

function missingOutput(op: { readonly name: string }, index: number): never {
  throw new UsageError(`${op.name}: expected gradients of its outputs only, got one for output ${index}`);
}

async function withModel<O extends object, T>(
  op: Op<O>,
  inputs: readonly Operand[],
  options: Partial<O> & EagerOptions,
  use: (model: Model, feeds: Record<string, Operand>) => Promise<T>,
): Promise<T> {
  const { device, threads, seed, precision } = options;
  const net = oneOp(op, inputs, options);
  const chosen = {
    ...(device === undefined ? {} : { device }),
    ...(threads === undefined ? {} : { threads }),
    ...(seed === undefined ? {} : { seed }),
    ...(precision === undefined ? {} : { precision }),
  };
  const model = await compile(net, chosen);
  try {
    return await use(model, Object.fromEntries(inputs.map((x, i) => [`input${i}`, x])));
  } finally {
    model.dispose();
  }
}

/** A graph of this op alone, every tensor an input of its whole shape. */
function oneOp<O extends object>(op: Op<O>, inputs: readonly Operand[], options: Partial<O>): Graph {
  if (inputs.length === 0) throw new UsageError(`${op.name}: expected at least one tensor, got none`);
  const specs: Record<string, InputSpec> = Object.fromEntries(inputs.map((x, i) => [`input${i}`, fixedInput(x.shape)]));
  return graph(specs, (values, builder) => {
    const all = inputs.map((_, i) => values[`input${i}`]!);
    const shapes = all.map((v) => v.shape);
    const { options: settings, arity, names } = resolve(op, shapes, options);
    const params = Object.fromEntries(names.map((name, i) => [name, { share: all[arity + i]! }]));
    const outputs = builder.add(op, all.slice(0, arity), { ...settings, name: op.name, params });
    return Object.fromEntries(outputs.map((value) => [value.name, value]));
  });
}
