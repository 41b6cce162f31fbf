/** What reaches the addon unchecked: every plan that cannot be must be refused with a code, and never end the process. */
import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { allocate, info, prepare, type NativeMemory, type NativePlan, type NativePlanSpec } from '../../lib/native.js';
import { findAddon } from '../../lib/native-loader.js';

type Raw = Record<string, unknown>;
interface RawAddon {
  readonly Memory: new (...args: unknown[]) => NativeMemory;
  readonly Plan: new (...args: unknown[]) => NativePlan & { prepare(): Promise<void> };
}

const CODES = ['INTERNAL', 'USAGE', 'OUT_OF_MEMORY', 'DISPOSED', 'SHAPE'];
const addon = findAddon().addon as RawAddon;
const memory = allocate(4096);

/** relu: y = max(x, 0) on sixteen numbers. */
function good(): { memories: unknown[]; tensors: Raw[]; steps: Raw[]; threads: unknown } {
  return {
    memories: [memory],
    tensors: [
      { memory: 0, offset: 0, shape: [4, 4], dtype: 'f32' },
      { memory: 0, offset: 64, shape: [4, 4], dtype: 'f32' },
    ],
    steps: [{ kernel: 'relu', label: 'act', inputs: [0], outputs: [1], attributes: { slope: 0 } }],
    threads: 1,
  };
}

/** The good plan with one entry replaced. */
const withTensor = (change: Raw): unknown => ({
  ...good(),
  tensors: [{ ...good().tensors[0], ...change }, good().tensors[1]],
});
const withStep = (change: Raw): unknown => ({ ...good(), steps: [{ ...good().steps[0], ...change }] });

async function refused(what: string, work: () => unknown): Promise<void> {
  try {
    await work();
  } catch (error) {
    assert.ok(error instanceof Error, what);
    assert.ok(
      'code' in error && CODES.includes(String(error.code)),
      `${what}: expected an error with a code, got ${error.stack}`,
    );
    assert.notEqual(error.message, '', what);
    return;
  }
  assert.fail(`${what}: expected to be refused`);
}

/** Reading the plan may refuse it, or preparing it. */
const refusedPlan = (what: string, spec: unknown): Promise<void> => refused(what, () => new addon.Plan(spec).prepare());

/** Values of every kind that JavaScript has. */
const JUNK: readonly unknown[] = [
  undefined,
  null,
  true,
  -1,
  0.5,
  NaN,
  Infinity,
  -Infinity,
  2 ** 31,
  2 ** 53,
  1e300,
  12n,
  '',
  'relu',
  Symbol('s'),
  {},
  [],
  [[]],
  [null],
  [1e300],
  () => 0,
  new Proxy([], {}),
  new Date(),
  new Float32Array(4),
];

describe('hostile plans', () => {
  it('start from one that runs', async () => {
    memory.write(
      0,
      Float32Array.from({ length: 16 }, (_, i) => i - 8),
      0,
      16,
    );
    const plan = await prepare(good() as unknown as NativePlanSpec);
    const answer = await plan.run([1], false);
    assert.deepEqual(
      Array.from(answer!.results[0]!),
      Array.from({ length: 16 }, (_, i) => Math.max(0, i - 8)),
    );
    plan.dispose();
  });

  it('that are no plans at all are refused', async () => {
    for (const junk of JUNK) await refusedPlan(String(junk), junk);
  });

  it('with the wrong type anywhere are refused', async () => {
    for (const key of ['memories', 'tensors', 'steps', 'threads']) {
      for (const junk of JUNK) {
        if (key === 'steps' && Array.isArray(junk) && junk.length === 0) continue;
        await refusedPlan(`${key}: ${String(junk)}`, { ...good(), [key]: junk });
      }
    }
    for (const key of ['memories', 'tensors', 'steps'] as const) {
      for (const junk of JUNK) await refusedPlan(`${key}[0]: ${String(junk)}`, { ...good(), [key]: [junk] });
    }
  });

  it('whose tensors have the wrong type anywhere are refused', async () => {
    for (const key of ['memory', 'offset', 'shape', 'dtype']) {
      for (const junk of JUNK) {
        // An empty shape is a tensor too, a scalar, but not one that relu turns into sixteen numbers.
        await refusedPlan(`${key}: ${String(junk)}`, withTensor({ [key]: junk }));
      }
    }
  });

  it('whose steps have the wrong type anywhere are refused', async () => {
    for (const key of ['kernel', 'label', 'inputs', 'outputs', 'attributes']) {
      for (const junk of JUNK) {
        const fine = (key === 'label' && typeof junk === 'string') || (key === 'kernel' && junk === 'relu');
        if (!fine) await refusedPlan(`${key}: ${String(junk)}`, withStep({ [key]: junk }));
      }
    }
    for (const junk of JUNK) {
      // A list of one number is as good as the number.
      const number: unknown = Array.isArray(junk) && junk.length === 1 ? junk[0] : junk;
      if (typeof number !== 'number')
        await refusedPlan(`slope: ${String(junk)}`, withStep({ attributes: { slope: junk } }));
    }
  });

  it('whose tensors lie outside their memory are refused', async () => {
    const cases: Raw[] = [
      { memory: 1 },
      { memory: 2 ** 31 - 1 },
      { offset: 4096 },
      { offset: 4096 - 63 },
      { offset: 4 },
      { offset: -64 },
      { offset: 2 ** 52 },
      { shape: [1025] },
      { shape: [4, -4] },
      { shape: [-4, -4] },
      { shape: [2 ** 31, 2 ** 31, 4] },
      { shape: [2 ** 32, 2 ** 32] },
      { shape: [0, 2 ** 52, 2 ** 52] },
      { shape: [1, 1, 1, 1, 1, 1, 1, 1, 16] },
      { dtype: 'f64' },
    ];
    for (const change of cases) await refusedPlan(JSON.stringify(change), withTensor(change));
  });

  it('whose steps name what is not there are refused', async () => {
    const cases: Raw[] = [
      { kernel: 'no_such_kernel' },
      { inputs: [2] },
      { outputs: [2] },
      { inputs: [2 ** 31 - 1] },
      { inputs: [-2] },
      { inputs: [] },
      { inputs: [-1] },
      { outputs: [] },
      { outputs: [-1] },
      { attributes: {} },
      { attributes: { slope: [0, 1] } },
      { attributes: { slope: [] } },
      { attributes: { slope: 0, colour: 1 } },
    ];
    for (const change of cases) await refusedPlan(JSON.stringify(change), withStep(change));
  });

  it('for no threads, or for more than any machine has, are refused', async () => {
    for (const threads of [0, -1, 1025, 2 ** 31, 1.5, NaN])
      await refusedPlan(`threads ${threads}`, { ...good(), threads });
  });

  it('whose memories are not memories are refused', async () => {
    const plan = await prepare(good() as unknown as NativePlanSpec);
    const prototype = Object.getPrototypeOf(memory) as object;
    for (const other of [plan, addon, prototype, Object.create(prototype), { bytes: 4096 }, new Proxy(memory, {})]) {
      await refusedPlan('memory', { ...good(), memories: [other] });
    }
    const gone = allocate(64);
    gone.dispose();
    await refusedPlan('disposed memory', { ...good(), memories: [gone] });
    plan.dispose();
  });

  it('that change, throw or dispose while they are read do no harm', async () => {
    const own = allocate(4096);
    const spec = { ...good(), memories: [own] };
    const cut: unknown[] = [0, 0, 0];
    Object.defineProperty(cut, 0, {
      get: () => {
        cut.length = 1;
        own.dispose();
        return 0;
      },
    });
    // What has been read by then is whole: a plan for the memory as it was, which now is the plan's alone.
    const plan = new addon.Plan({ ...spec, steps: [{ ...good().steps[0], inputs: cut }] });
    await plan.prepare();
    assert.equal((await plan.run([1], false))!.results[0]!.length, 16);
    plan.dispose();
    const trap = {
      get tensors(): never {
        throw new RangeError('mine');
      },
      memories: [memory],
    };
    assert.throws(() => new addon.Plan(trap), { name: 'RangeError', message: 'mine' });
  });

  it('whose lists are longer than any memory are refused at once', async () => {
    for (const key of ['memories', 'tensors', 'steps']) {
      await refusedPlan(key, { ...good(), [key]: new Array(2 ** 32 - 1) });
    }
  });
});

describe('hostile calls', () => {
  it('of run are refused', async () => {
    const plan = (await prepare(good() as unknown as NativePlanSpec)) as unknown as {
      run(...args: unknown[]): unknown;
      dispose(): void;
    };
    for (const outputs of [...JUNK.filter((j) => !Array.isArray(j) || j.length > 0), [-1], [2], [0.5], [NaN]]) {
      await refused(`run(${String(outputs)})`, () => plan.run(outputs, false));
    }
    const disposed = allocate(4096);
    disposed.dispose();
    const copy = { from: memory, fromOffset: 0, to: memory, toOffset: 64, bytes: 64 };
    await plan.run([1], false, [copy, { ...copy, bytes: 0, toOffset: 4096 }]);
    const changes: Raw[] = [
      ...JUNK.flatMap((junk) => [{ from: junk }, { to: junk }]),
      ...JUNK.flatMap((junk) => [{ bytes: junk }, { fromOffset: junk }, { toOffset: junk }]),
      { from: disposed },
      { to: disposed },
      { bytes: 4097, toOffset: 0 },
      { bytes: 64, toOffset: 4096 - 63 },
      { bytes: 64, fromOffset: 2 ** 52 },
    ];
    for (const change of changes)
      await refused(`copy ${inspect(change)}`, () => plan.run([1], false, [{ ...copy, ...change }]));
    for (const junk of JUNK.filter((j) => j !== undefined && !(Array.isArray(j) && j.length === 0)))
      await refused(`copies ${String(junk)}`, () => plan.run([1], false, junk));
    plan.dispose();
    await refused('run after dispose', () => plan.run([1], false));
    plan.dispose();
  });

  it('of memory are refused', async () => {
    for (const size of JUNK) {
      const fine = typeof size === 'number' && size >= 0 && Number.isInteger(size) && size < info().availableMemory;
      if (!fine) await refused(`Memory(${String(size)})`, () => new addon.Memory(size));
    }
    const own = allocate(64) as unknown as { write(...args: unknown[]): void; dispose(): void };
    const floats = new Float32Array(16);
    for (const junk of JUNK) {
      if (junk !== 0) await refused(`offset ${String(junk)}`, () => own.write(junk, floats, 0, 16));
      if (!(junk instanceof Float32Array)) await refused(`array ${String(junk)}`, () => own.write(0, junk, 0, 16));
      await refused(`start ${String(junk)}`, () => own.write(0, floats, junk, 0));
      await refused(`end ${String(junk)}`, () => own.write(0, floats, 17, junk));
    }
    for (const [offset, start, end] of [
      [4, 0, 16],
      [64, 0, 1],
      [65, 0, 0],
      [0, 8, 4],
      [0, 0, 17],
      [2 ** 52, 0, 1],
      [0, 16, 17],
      [1, 0, 1],
    ] as const) {
      await refused(`write ${offset}, ${start}, ${end}`, () => own.write(offset, floats, start, end));
    }
    for (const array of [new BigInt64Array(1), new Int8Array(4), new Uint16Array(4)]) {
      await refused(array.constructor.name, () => own.write(0, array, 0, 1));
    }
    own.dispose();
    await refused('write after dispose', () => own.write(0, floats, 0, 16));
  });

  it('with arrays whose buffer has been transferred are refused', async () => {
    const floats = new Float32Array(16);
    structuredClone(floats.buffer, { transfer: [floats.buffer] });
    await refused('detached', () => memory.write(0, floats, 0, 16));
    memory.write(0, floats, 0, 0);
  });

  it('on the wrong objects, or without new, throw', async () => {
    const plan = await prepare(good() as unknown as NativePlanSpec);
    const method = (of: object, name: string): ((...args: unknown[]) => unknown) =>
      (Object.getPrototypeOf(of) as Record<string, (...args: unknown[]) => unknown>)[name]!;
    const [write, run] = [method(memory, 'write'), method(plan, 'run')];
    const read = (of: object, name: string, self: unknown): unknown =>
      Reflect.get(Object.getPrototypeOf(of) as object, name, self);
    assert.equal(read(memory, 'bytes', memory), 4096);
    for (const other of [{}, null, 1, Object.getPrototypeOf(memory)]) {
      assert.throws(() => read(memory, 'bytes', other));
      assert.throws(() => write.call(other, 0, new Float32Array(1), 0, 1));
    }
    assert.throws(() => read(memory, 'bytes', plan));
    assert.throws(() => read(plan, 'scratchBytes', memory));
    assert.throws(() => write.call(plan, 0, new Float32Array(1), 0, 1));
    assert.throws(() => run.call(memory, [0], false));
    assert.throws(() => Reflect.apply(addon.Memory as unknown as () => void, undefined, [8]));
    assert.throws(() => Reflect.apply(addon.Plan as unknown as () => void, undefined, [good()]));
    plan.dispose();
  });
});
