import { readTextFile } from '../file.js';
import { NetParameter, SolverParameter, type Message, type MessageType, type Net, type Solver } from './schema.js';
import { parseText } from './text/parse.js';
import { place, positionOf } from './text/position.js';
import { upgradeNet, upgradeSolver, type Warn } from './upgrade.js';

export { formatText } from './text/write.js';
export { parseText };
export { at, positionOf, type Position } from './text/position.js';

/** Reads a message from a text file. @throws {FormatError} naming file, line and column */
export async function readText<M extends MessageType>(type: M, path: string): Promise<Message<M>> {
  return parseText(type, await readTextFile(path), path);
}

/** Parses the text of a net of any age and brings it to the present form. @throws {FormatError} */
export function parseNet(text: string, file?: string, warn?: Warn): Net {
  return upgradeNet(parseText(NetParameter, text, file), warn);
}

/** Reads a net of any age and brings it to the present form. @throws {FormatError} */
export async function readNetDefinition(path: string, warn?: Warn): Promise<Net> {
  return upgradeNet(await readText(NetParameter, path), warn);
}

/** Reads a solver; without a snapshot_prefix, snapshots are named after the file. @throws {FormatError} */
export async function readSolver(path: string): Promise<Solver> {
  const solver = upgradeSolver(await readText(SolverParameter, path));
  const named = { ...solver, snapshot_prefix: solver.snapshot_prefix ?? path.replace(/\.[^./\\]*$/, '') };
  place(named, positionOf(solver));
  return named;
}
