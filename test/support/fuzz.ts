/**
 * Takes every kind of step that Caffe's layers are lowered to, spoils it in one place (an extent, an axis, a missing
 * tensor, an element type, an attribute), and runs it if the plan is accepted. Elements around every tensor must stay
 * as they are. A program of its own, since what it looks for may end the process: prints what it did as JSON.
 */
import { openDevice } from '../../lib/device.js';
import { readNet } from '../../lib/caffe/import/index.js';
import { lower } from '../../lib/lower.js';
import { allocate, prepare, type NativePlanSpec } from '../../lib/native.js';
import { CPU_PRECISIONS, optimize } from '../../lib/passes/index.js';
import type { DType } from '../../lib/program.js';
import { Random } from '../../lib/random.js';
import { CortadoError } from '../../lib/errors.js';
import { manifest } from './cases.js';
import { fixtures } from './fixtures.js';
import { join } from 'node:path';

interface Slot {
  shape: number[];
  dtype: DType;
}

/** One step, its tensors written out. */
interface Subject {
  readonly kernel: string;
  readonly inputs: (Slot | undefined)[];
  readonly outputs: (Slot | undefined)[];
  readonly attributes: Record<string, number | number[]>;
}

const GAP = 1024;
const CANARY = 1234.5;
const LARGEST = 50_000;
const random = new Random(Number(process.argv[2] ?? 1));
const tries = Number(process.argv[3] ?? 20);

const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const pick = <T>(list: readonly T[]): T => list[random.below(list.length)]!;

/** Steps of every layer case, forward and backward, a few for each kernel. */
async function subjects(folder: string): Promise<Subject[]> {
  const found = new Map<string, Subject[]>();
  for (const test of manifest(folder).cases) {
    const { graph, layers } = await readNet(join(folder, test.name, 'net.prototxt'), { phase: test.phase });
    const tops = layers.find((layer) => layer.name === 'L')!.tops;
    const wanted = [...Object.values(graph.inputs), ...graph.parameters];
    const seeds = graph.losses.length > 0 ? [] : test.tops.flatMap((top, i) => (top.diff ? [tops[i]!] : []));
    const phase = test.phase === 'TRAIN' ? 'train' : 'test';
    const gradients = test.tops.some((top) => top.diff) ? wanted : [];
    const { program } = lower(graph, { batch: graph.batch, phase, fetch: tops, gradients, seeds });
    const optimized = CPU_PRECISIONS.map((precision) => optimize(program, { passes: 'all', precision }));
    const steps = optimized.flatMap(({ prologue, steps }) => [...prologue, ...steps]);
    for (const { kernel, inputs, outputs, attributes } of steps) {
      const slot = (ref: (typeof inputs)[number]): Slot | undefined =>
        ref && { shape: [...ref.shape], dtype: ref.dtype };
      const known = found.get(kernel) ?? [];
      if (known.length >= 4) continue;
      found.set(kernel, [
        ...known,
        {
          kernel,
          inputs: inputs.map(slot),
          outputs: outputs.map(slot),
          attributes: structuredClone(attributes) as Subject['attributes'],
        },
      ]);
    }
  }
  return [...found.values()].flat();
}

/** Changes one thing. */
function spoil(subject: Subject): string {
  const lists = [subject.inputs, subject.outputs].filter((list) => list.length > 0);
  const names = Object.keys(subject.attributes);
  if (names.length > 0 && random.uniform() < 0.4) return spoilAttribute(subject.attributes, pick(names));
  const list = pick(lists);
  const at = random.below(list.length);
  const slot = list[at];
  const place = `${list === subject.inputs ? 'input' : 'output'} ${at}`;
  if (!slot) {
    list[at] = { shape: [pick([1, 3])], dtype: 'f32' };
    return `${place} there`;
  }
  const kind = random.below(5);
  if (kind === 0) list[at] = undefined;
  else if (kind === 1)
    slot.dtype = pick((['f32', 'i32', 'u8', 'i8', 'bf16', 'f16'] as const).filter((dtype) => dtype !== slot.dtype));
  else if (kind === 2)
    slot.shape = pick([[], slot.shape.slice(1), slot.shape.slice(0, -1), [...slot.shape, 2], [1, ...slot.shape]]);
  else if (slot.shape.length > 0) {
    const axis = random.below(slot.shape.length);
    slot.shape[axis] = Math.max(1, pick([1, slot.shape[axis]! - 1, slot.shape[axis]! + 1, 2 * slot.shape[axis]!]));
  }
  return `${place} ${JSON.stringify(list[at] ?? null)}`;
}

function spoilAttribute(attributes: Subject['attributes'], name: string): string {
  const value = attributes[name]!;
  const other = (v: number): number =>
    pick([0, -1, 1, v + 1, v - 1, 2 * v, 1000, -(2 ** 31), 2 ** 31 - 1, NaN, Infinity]);
  if (typeof value === 'number') attributes[name] = other(value);
  else if (random.uniform() < 0.5 && value.length > 0) value[random.below(value.length)] = other(value[0]!);
  else attributes[name] = pick([[], [...value, 1], value.slice(1)]);
  return `${name} ${JSON.stringify(attributes[name])}`;
}

/** Runs a step; 'refused', 'ran', or what it destroyed. */
async function run(subject: Subject): Promise<string> {
  const tensors: NativePlanSpec['tensors'][number][] = [];
  let offset = 0;
  const place = (shape: readonly number[], dtype: DType): number => {
    tensors.push({ memory: 0, offset, shape, dtype });
    offset = Math.ceil((offset + 4 * count(shape)) / 64) * 64;
    return tensors.length - 1;
  };
  const gaps = [place([GAP], 'f32')];
  const index = (slot: Slot | undefined): number => {
    if (!slot) return -1;
    const made = place(slot.shape, slot.dtype);
    gaps.push(place([GAP], 'f32'));
    return made;
  };
  const [inputs, outputs] = [subject.inputs.map(index), subject.outputs.map(index)];
  if (offset > 4 * LARGEST * 8) return 'large';
  const memory = allocate(offset, (await openDevice()).native);
  try {
    const filled = new Float32Array(offset / 4).map(() => random.uniform(0.1, 2));
    // Codes and masks are what kernels wrote: any of theirs is fine, zero surely.
    tensors.forEach(({ offset: at, shape, dtype }) => dtype !== 'f32' && filled.fill(0, at / 4, at / 4 + count(shape)));
    gaps.forEach((gap) => filled.fill(CANARY, tensors[gap]!.offset / 4, tensors[gap]!.offset / 4 + GAP));
    memory.write(0, filled, 0, filled.length);
    const { kernel, attributes } = subject;
    const plan = await prepare({
      memories: [memory],
      tensors,
      steps: [{ kernel, label: 'step', inputs, outputs, attributes }],
      threads: 2,
    });
    const answer = await plan.run(gaps, false);
    plan.dispose();
    const torn = answer!.results.findIndex((gap) => gap.some((v) => v !== CANARY));
    return torn < 0 ? 'ran' : `wrote outside its tensors (gap ${torn})`;
  } catch (error) {
    if (error instanceof CortadoError) return 'refused';
    throw error;
  } finally {
    memory.dispose();
  }
}

const folder = fixtures('layers');
const counts: Record<string, number> = { refused: 0, ran: 0, large: 0 };
const torn: string[] = [];
for (const subject of folder ? await subjects(folder) : []) {
  if ([...subject.inputs, ...subject.outputs].some((slot) => slot && count(slot.shape) > LARGEST)) continue;
  for (let i = 0; i < tries; i++) {
    const own = structuredClone(subject);
    const what = spoil(own);
    const shapes = JSON.stringify([own.inputs.map((s) => s?.shape ?? null), own.outputs.map((s) => s?.shape ?? null)]);
    if (process.argv[4]) process.stderr.write(`${own.kernel}: ${what} ${shapes} ${JSON.stringify(own.attributes)}\n`);
    const result = await run(own);
    if (result in counts) counts[result]!++;
    else torn.push(`${own.kernel}: ${what}: ${result}`);
  }
}
console.log(JSON.stringify({ ...counts, torn }));
