import assert from 'node:assert/strict';
import fc from 'fast-check';
import { placeInArena } from '../../lib/passes/memory.js';
import { ProgramBuilder, rootOf, type Program, type Ref } from '../../lib/program.js';

/** A random program: each step reads some tensors made before and writes a new one, sometimes in place. */
const programs = fc
  .array(
    fc.record({
      size: fc.integer({ min: 1, max: 5000 }),
      reads: fc.array(fc.nat(), { maxLength: 3 }),
      inPlace: fc.boolean(),
      view: fc.boolean(),
    }),
    { minLength: 1, maxLength: 30 },
  )
  .map((plan) => {
    const builder = new ProgramBuilder();
    const made: Ref[] = [builder.named({ kind: 'input', name: 'x' }, [700], 'f32')];
    for (const [i, { size, reads, inPlace, view }] of plan.entries()) {
      const inputs = reads.map((n) => made[n % made.length]!);
      const output = builder.work(inPlace && inputs[0] ? inputs[0].shape : [size], 'f32', `t${i}`);
      builder.step({ kernel: 'any', label: `s${i}`, inputs, outputs: [output], attributes: {}, inPlace });
      made.push(view ? builder.view(output, output.shape, 'view') : output);
    }
    return builder.finish([made.at(-1)!]);
  });

/** Runs the program on a real arena of tags: every read must find what was last written there by its maker. */
function simulate(program: Program): void {
  const { offsets, bytes } = placeInArena(program);
  const arena = new Int32Array(Math.ceil(bytes / 4)).fill(-1);
  const cells = (ref: Ref): Int32Array =>
    arena.subarray(offsets.get(ref.id)! / 4, offsets.get(ref.id)! / 4 + ref.shape[0]!);
  const tag = new Map<number, number>();
  const write = (ref: Ref, value: number): void => {
    cells(ref).fill(value);
    tag.set(rootOf(program.views, ref.id), value);
  };
  const expectIntact = (ref: Ref): void => {
    const root = rootOf(program.views, ref.id);
    assert.ok(
      cells(ref).every((cell) => cell === tag.get(root)),
      `tensor ${ref.id} was overwritten while it lived`,
    );
  };
  for (const ref of program.refs) if (ref.place.kind === 'input') write(ref, 1000 + ref.id);
  program.steps.forEach((step, i) => {
    for (const ref of step.inputs) if (ref) expectIntact(ref);
    for (const ref of step.outputs) if (ref) write(ref, i);
  });
  program.results.forEach(expectIntact);
}

describe('placing tensors in one arena', () => {
  it('never lets a tensor overwrite a live one', () => {
    fc.assert(fc.property(programs, simulate), { numRuns: 300 });
  });

  it('gives the place of a dead tensor to the next', () => {
    const builder = new ProgramBuilder();
    let x = builder.named({ kind: 'input', name: 'x' }, [1024], 'f32');
    for (let i = 0; i < 10; i++) {
      const y = builder.work([1024], 'f32', `t${i}`);
      builder.step({ kernel: 'any', label: `s${i}`, inputs: [x], outputs: [y], attributes: {}, inPlace: false });
      x = y;
    }
    assert.equal(placeInArena(builder.finish([x])).bytes, 2 * 4096);
  });

  it('computes a chain of element-wise steps in one place', () => {
    const builder = new ProgramBuilder();
    let x = builder.work([1024], 'f32', 'start');
    builder.step({ kernel: 'any', label: 'start', inputs: [], outputs: [x], attributes: {}, inPlace: false });
    for (let i = 0; i < 10; i++) {
      const y = builder.work([1024], 'f32', `t${i}`);
      builder.step({ kernel: 'any', label: `s${i}`, inputs: [x], outputs: [y], attributes: {}, inPlace: true });
      x = y;
    }
    assert.equal(placeInArena(builder.finish([x])).bytes, 4096);
  });
});
