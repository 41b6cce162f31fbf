import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import type { Command } from 'commander';
import { openDevice } from '../device.js';
import { align } from '../table.js';
import { verify, type Verdict } from '../verify/verify.js';
import { Failure, note, print, printJson, type SharedOptions } from './command.js';

interface VerifyOptions extends SharedOptions {
  readonly device: string;
  readonly out: string;
}

/** `cortado verify`: whether a device computes what the CPU does. */
export function register(command: Command): void {
  command
    .option('--device <name>', 'the device to check: cuda, cuda:1', 'cuda')
    .option('--out <file>', 'where the report is kept', 'cortado-verify.json')
    .action(run);
}

async function run({ device, out, json, verbose }: VerifyOptions): Promise<void> {
  const opened = await openDevice(device);
  const { name } = opened;
  const onCase = ({ op, precision, ok }: Verdict): void => {
    if (verbose) note(`${ok ? 'ok  ' : 'FAIL'} ${op} in ${precision}`);
  };
  const cases = await verify(opened, onCase);
  const failed = cases.filter(({ ok }) => !ok).length;
  const report = { device: name, cpu: cpus()[0]?.model, node: process.versions.node, failed, cases };
  writeFileSync(out, `${JSON.stringify(report, null, 2)}\n`);
  if (json) printJson(report);
  else print(`${formatVerdicts(cases)}\n${cases.length - failed} of ${cases.length} agree; report: ${out}`);
  if (failed > 0) throw new Failure(`cortado: ${failed} of ${cases.length} cases on ${name} are off`);
}

/** Verdicts as a table for people. */
function formatVerdicts(cases: readonly Verdict[]): string {
  const share = (error: number | undefined): string => (error === undefined ? '-' : error.toExponential(1));
  const header = ['', 'op', 'precision', 'options', 'outputs off', 'gradients off', 'slope off'];
  const rows = cases.map(({ op, precision, options, forward, backward, slope, ok }) => [
    ok ? 'ok' : 'FAIL',
    op,
    precision,
    options === '{}' ? '' : options,
    share(forward),
    share(backward),
    share(slope),
  ]);
  return align([header, ...rows], 3);
}
