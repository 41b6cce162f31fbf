import type { Graph, Value } from '../graph.js';
import type { Shape } from '../shape.js';
import { ancestors, results } from '../wanted.js';

/** A tensor that goes in or comes out. */
export interface TensorSpec {
  readonly name: string;
  readonly datatype: 'FP32';
  /** -1: as many rows as one likes. */
  readonly shape: Shape;
}

/** What a net takes and gives when it is asked for answers. */
export interface Signature {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** Whether rows are independent of each other, so that those of several requests may share a run. */
  readonly mergeable: boolean;
}

/** Reads a graph's signature: its answers, and the inputs that these need. */
export function signatureOf(graph: Graph): Signature {
  const answers = new Set(results(graph));
  const outputs = Object.entries(graph.outputs).filter(([, value]) => answers.has(value));
  const read = ancestors([...answers]);
  const inputs = Object.entries(graph.inputs).filter(([, value]) => read.has(value));
  const mergeable =
    inputs.every(([name]) => graph.inputSpecs[name]!.batched) &&
    outputs.every(([, value]) => followsBatch(graph, value));
  const spec = ([name, { shape }]: [string, Value]): TensorSpec => ({
    ...{ name, datatype: 'FP32' },
    shape: mergeable ? [-1, ...shape.slice(1)] : shape,
  });
  return { inputs: inputs.map(spec), outputs: outputs.map(spec), mergeable };
}

/** Whether a value has one row for each row of the batch. */
function followsBatch(graph: Graph, value: Value): boolean {
  try {
    return [1, 2, 3].every((batch) => graph.at(batch).shapes.get(value)?.[0] === batch);
  } catch {
    // A layer fixes the batch.
    return false;
  }
}
