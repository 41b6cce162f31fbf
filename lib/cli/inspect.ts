import { setImmediate } from 'node:timers/promises';
import type { Command } from 'commander';
import { CortadoError } from '../errors.js';
import { byteLength, toTensor, type RawTensor, type TensorInfo } from '../formats/elements.js';
import { openTensors, TENSOR_FILES } from '../formats/files.js';
import { inMemory, type TensorSet } from '../formats/tensors.js';
import { fromTensor } from '../formats/elements.js';
import { readNpy } from '../npy.js';
import { count, format } from '../shape.js';
import { align } from '../table.js';
import type { TensorData } from '../tensor.js';
import { print, printJson, type SharedOptions } from './command.js';

/** What the finite elements of a tensor are like; all null where there are none, or they are no numbers. */
interface Statistics {
  readonly min: number | null;
  readonly max: number | null;
  readonly mean: number | null;
  /** Deviation from the mean, of all elements. */
  readonly std: number | null;
  /** Elements that are NaN or infinite. */
  readonly nonFinite: number | null;
}

interface Row extends TensorInfo, Statistics {
  readonly name: string;
  readonly bytes: number;
}

/** `cortado inspect`: what is in a file of tensors. */
export function register(command: Command): void {
  command.argument('<file>', `a file that ends in ${TENSOR_FILES.join(', ')} or .npy`).action(inspect);
}

async function inspect(path: string, options: SharedOptions): Promise<void> {
  if (path.toLowerCase().endsWith('.npy')) {
    await show(path, inMemory({ '': fromTensor(await readNpy(path)) }), options);
    return;
  }
  await using file = await openTensors(path);
  await show(path, file, options);
}

async function show(path: string, set: TensorSet, { json }: SharedOptions): Promise<void> {
  const rows: Row[] = [];
  for (const [name, { dtype, shape }] of set.tensors)
    rows.push({
      name,
      dtype,
      shape,
      bytes: byteLength({ dtype, shape }),
      ...(await statisticsOf(await set.read(name))),
    });
  const elements = rows.reduce((sum, { shape }) => sum + count(shape), 0);
  const bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
  if (json) {
    printJson({ file: path, tensors: rows, elements, bytes, metadata: set.metadata });
    return;
  }
  const notes = Object.entries(set.metadata).map(([key, text]) => `${key}: ${text}`);
  const header = ['tensor', 'type', 'shape', 'elements', 'min', 'max', 'mean', 'std', 'not finite'];
  const total = [`total (${rows.length})`, '', '', elements.toLocaleString('en-US'), '', '', '', '', ''];
  print([...notes, align([header, ...rows.map(cells), total])].join('\n'));
}

function cells({ name, dtype, shape, min, max, mean, std, nonFinite }: Row): string[] {
  const numbers = [min, max, mean, std].map((value) => (value === null ? '-' : shortened(value)));
  return [name, dtype, format(shape), count(shape).toLocaleString('en-US'), ...numbers, String(nonFinite ?? '-')];
}

const shortened = (value: number): string => String(Number(value.toPrecision(5)));

const NONE: Statistics = { min: null, max: null, mean: null, std: null, nonFinite: null };

async function statisticsOf(raw: RawTensor): Promise<Statistics> {
  try {
    return await describe(toTensor(raw, '').data);
  } catch (error) {
    // Complex numbers, and whole ones beyond 2^53.
    if (error instanceof CortadoError) return NONE;
    throw error;
  }
}

/** Elements looked at between two turns of the event loop. */
const STEP = 1 << 18;

/** In one pass: Welford 1962, "Note on a method for calculating corrected sums of squares and products". */
async function describe(data: TensorData): Promise<Statistics> {
  let [min, max, mean, squares, n] = [Infinity, -Infinity, 0, 0, 0];
  for (let at = 0; at < data.length; at++) {
    if (at % STEP === STEP - 1) await setImmediate();
    const value = data[at]!;
    if (!Number.isFinite(value)) continue;
    n++;
    if (value < min) min = value;
    if (value > max) max = value;
    const off = value - mean;
    mean += off / n;
    squares += off * (value - mean);
  }
  const nonFinite = data.length - n;
  return n === 0 ? { ...NONE, nonFinite } : { min, max, mean, std: Math.sqrt(squares / n), nonFinite };
}
