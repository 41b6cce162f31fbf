import type { Graph, Value } from './graph.js';
import { count, format, type Shape } from './shape.js';
import type { SizedNode } from './sized.js';

/** One layer of a graph in numbers, at one batch size. */
export interface LayerRow {
  readonly name: string;
  readonly op: string;
  readonly output: Shape;
  /** Elements of the parameters that this layer is the first to use. */
  readonly parameters: number;
  /** Of the forward pass; a multiply-add counts as two. */
  readonly flops: number;
  /** Bytes that the forward pass must read and write at least: inputs, parameters, outputs. */
  readonly bytes: number;
}

/** A graph in figures. */
export interface Summary {
  readonly name: string;
  readonly batch: number;
  readonly layers: readonly LayerRow[];
  readonly parameters: number;
  readonly flops: number;
  readonly bytes: number;
}

/** Every layer's output, parameters, FLOPs and bytes. @throws {ShapeError} when a layer fixes another batch */
export function summarize(graph: Graph, batch = graph.batch): Summary {
  const sized = graph.at(batch);
  const counted = new Set<Value>();
  const layers = sized.nodes.map((node) => rowOf(node, sized.shapes, counted));
  const total = (key: 'parameters' | 'flops' | 'bytes'): number => layers.reduce((sum, row) => sum + row[key], 0);
  return {
    name: graph.name,
    batch,
    layers,
    parameters: total('parameters'),
    flops: total('flops'),
    bytes: total('bytes'),
  };
}

function rowOf({ node, attributes }: SizedNode, shapes: ReadonlyMap<Value, Shape>, counted: Set<Value>): LayerRow {
  const inputs = node.inputs.map((v) => shapes.get(v)!);
  const outputs = node.outputs.map((v) => shapes.get(v)!);
  const fresh = node.inputs.filter((v) => typeof v.source === 'object' && 'parameter' in v.source && !counted.has(v));
  fresh.forEach((v) => counted.add(v));
  const elements = (list: readonly Shape[]): number => list.reduce((sum, shape) => sum + count(shape), 0);
  return {
    name: node.name,
    op: node.op.name,
    output: outputs[0] ?? [],
    parameters: elements(fresh.map((v) => v.shape)),
    flops: node.op.flops?.(inputs, outputs, attributes) ?? 0,
    bytes: 4 * (elements(inputs) + elements(outputs)),
  };
}

/** The summary as a table for people. */
export function formatSummary(summary: Summary): string {
  const header = ['layer', 'op', 'output', 'parameters', 'MFLOP', 'MB'];
  const line = (row: { parameters: number; flops: number; bytes: number }): string[] => [
    row.parameters.toLocaleString('en-US'),
    (row.flops / 1e6).toFixed(2),
    (row.bytes / 1e6).toFixed(2),
  ];
  const rows = summary.layers.map((row) => [row.name, row.op, format(row.output), ...line(row)]);
  const total = [`total (batch ${summary.batch})`, '', '', ...line(summary)];
  return align([header, ...rows, total]);
}

/** Pads columns: words to the left, numbers to the right. */
export function align(rows: readonly (readonly string[])[], words = 3): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i < words ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
