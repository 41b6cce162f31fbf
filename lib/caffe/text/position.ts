/** Where a message begins in a text file; line and column count from 1. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

const positions = new WeakMap<object, Position>();

/** Remembers where a message was read. */
export function place(message: object, position: Position | undefined): void {
  if (position) positions.set(message, position);
}

/** Where a message was read; undefined when it did not come from text. */
export function positionOf(message: object): Position | undefined {
  return positions.get(message);
}

/** `file:line:column: `, ready to stand before an error; empty when the place is not known. */
export function at(message: object | undefined): string {
  const position = message && positions.get(message);
  return position ? `${position.file}:${position.line}:${position.column}: ` : '';
}
