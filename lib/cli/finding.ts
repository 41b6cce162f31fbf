/** One line of the doctor's report. */
export interface Finding {
  readonly name: string;
  /** `missing` is a thing that is not there, `broken` one that is there and does not work. */
  readonly state: 'ok' | 'missing' | 'broken';
  /** What was found, or what is wrong with it. */
  readonly found: string;
  /** Where it was looked for, in order. */
  readonly looked: readonly string[];
  /** What mends it: a command where there is one. Undefined where nothing needs mending. */
  readonly fix?: string;
}

/** Findings as a table; what is not well also says where it was looked for and what mends it. */
export function table(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ name }) => name.length));
  const mark = { ok: 'ok', missing: '--', broken: '!!' };
  return findings
    .map(({ name, state, found, looked, fix }) => {
      const lines = [`  ${mark[state]}  ${name.padEnd(width)}  ${found}`];
      const indent = ' '.repeat(width + 8);
      if (state !== 'ok' && looked.length > 0) lines.push(`${indent}looked: ${looked.join(', ')}`);
      if (fix !== undefined) lines.push(`${indent}mend:   ${fix}`);
      return lines.join('\n');
    })
    .join('\n');
}
