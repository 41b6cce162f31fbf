/** Plans of one step, made without the library: for kernels that must refuse tensors that do not agree. */
import assert from 'node:assert/strict';
import { allocate, prepare } from '../../lib/native.js';
import type { Attributes } from '../../lib/op.js';
import type { DType } from '../../lib/program.js';

export type Given = readonly number[] | { readonly shape: readonly number[]; readonly dtype: DType } | undefined;

export interface Step {
  readonly inputs: readonly Given[];
  readonly outputs: readonly Given[];
  readonly attributes?: Attributes;
}

/** For each kernel a step that is right, and others that are not. */
export type HostileCases = Readonly<Record<string, { readonly right: Step; readonly wrong: readonly Partial<Step>[] }>>;

/** A random state. */
export const state = { shape: [4], dtype: 'i32' } as const;

export const numbers = (n: number): Given => ({ shape: [n], dtype: 'i32' });

const memory = allocate(1 << 16);

/** Makes a plan of one step; tensors lie one behind another. */
async function plan(kernel: string, { inputs, outputs, attributes = {} }: Step): Promise<void> {
  const given = [...inputs, ...outputs];
  const tensors = given.map((one, i) => {
    const { shape, dtype } = one && 'shape' in one ? one : { shape: one ?? [], dtype: 'f32' as const };
    return { memory: 0, offset: i * 1024, shape, dtype };
  });
  const index = (one: Given, i: number): number => (one ? i : -1);
  const steps = [
    {
      kernel,
      label: 'step',
      inputs: inputs.map(index),
      outputs: outputs.map((one, i) => index(one, i + inputs.length)),
      attributes,
    },
  ];
  (await prepare({ memories: [memory], tensors, steps, threads: 2 })).dispose();
}

/** Makes a test for each kernel. */
export function describeHostile(cases: HostileCases): void {
  for (const [kernel, { right, wrong }] of Object.entries(cases)) {
    it(`${kernel} refuses tensors that do not agree`, async () => {
      await plan(kernel, right);
      for (const change of wrong) {
        await assert.rejects(
          plan(kernel, { ...right, ...change }),
          { name: /^(ShapeError|CortadoError|UsageError)$/ },
          JSON.stringify(change),
        );
      }
    });
  }
}
