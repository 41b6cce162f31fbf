import type { Graph, Value } from './graph.js';
import { format } from './shape.js';

/** The graph in Graphviz's language: layers as boxes, inputs and outputs as ovals, shapes on the arrows. */
export function toDot(graph: Graph, batch = graph.batch): string {
  const { shapes } = graph.at(batch);
  const lines = [
    `digraph ${quote(graph.name)} {`,
    '  rankdir=TB;',
    '  node [shape=box, style="rounded,filled", fillcolor="#f4f1ea", fontname="Helvetica"];',
    '  edge [fontname="Helvetica", fontsize=10];',
  ];
  const idOf = (value: Value): string => {
    if (value.source === 'input') return quote(`input ${value.name}`);
    return quote('node' in value.source ? `layer ${value.source.node.name}` : `parameter ${value.name}`);
  };
  const isParameter = ({ source }: Value): boolean => typeof source === 'object' && 'parameter' in source;
  for (const [name] of Object.entries(graph.inputs))
    lines.push(`  ${quote(`input ${name}`)} [label=${quote(name)}, shape=oval, fillcolor="#dbe9f4"];`);
  for (const { node } of graph.at(batch).nodes) {
    lines.push(`  ${quote(`layer ${node.name}`)} [label=${quote(`${node.name}\n${node.op.name}`)}];`);
    for (const value of node.inputs) {
      if (isParameter(value)) continue;
      lines.push(`  ${idOf(value)} -> ${quote(`layer ${node.name}`)} [label=${quote(format(shapes.get(value)!))}];`);
    }
  }
  for (const [name, value] of Object.entries<Value>(graph.outputs)) {
    lines.push(`  ${quote(`output ${name}`)} [label=${quote(name)}, shape=oval, fillcolor="#e4f0dc"];`);
    lines.push(`  ${idOf(value)} -> ${quote(`output ${name}`)} [label=${quote(format(shapes.get(value)!))}];`);
  }
  return [...lines, '}', ''].join('\n');
}

function quote(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}
