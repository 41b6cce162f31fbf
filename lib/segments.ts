import { UsageError } from './errors.js';
import { ended, prepare, type NativeCopy, type NativePlan, type NativePlanSpec, type NativeResults } from './native.js';
import type { Script } from './program.js';

type NativeStep = NativePlanSpec['steps'][number];

/** A plan some of whose steps may be in JavaScript. */
export interface ScriptedSpec extends NativePlanSpec {
  readonly steps: readonly (NativeStep & { readonly script?: Script })[];
}

/** A step in JavaScript and the native ones before it. */
interface Part {
  readonly native: NativePlan;
  readonly step: NativeStep;
  readonly script: Script;
}

/** Prepares every step. Without JavaScript among them it is one native plan. @throws {CortadoError} */
export async function prepareSteps(spec: ScriptedSpec): Promise<NativePlan> {
  const { commit, guards, ...rest } = spec;
  const parts: Part[] = [];
  let from = 0;
  try {
    for (const [at, step] of spec.steps.entries()) {
      if (!step.script) continue;
      const native = await prepare({ ...rest, steps: spec.steps.slice(from, at) });
      parts.push({ native, step, script: step.script });
      from = at + 1;
    }
    const ending = commit === undefined ? {} : { commit: commit - from, ...(guards && { guards }) };
    const last = await prepare({ ...rest, steps: spec.steps.slice(from), ...ending });
    return parts.length === 0 ? last : new SegmentedPlan(spec, parts, last);
  } catch (error) {
    for (const { native } of parts) native.dispose();
    throw error;
  }
}

/** Native plans over the same memory, and JavaScript between them. Only the last one changes what outlives a run. */
class SegmentedPlan implements NativePlan {
  readonly #spec: ScriptedSpec;
  readonly #parts: readonly Part[];
  readonly #last: NativePlan;
  #running: NativePlan | undefined;
  #cancelled = false;

  constructor(spec: ScriptedSpec, parts: readonly Part[], last: NativePlan) {
    this.#spec = spec;
    this.#parts = parts;
    this.#last = last;
  }

  get scratchBytes(): number {
    return this.#parts.reduce((sum, { native }) => sum + native.scratchBytes, this.#last.scratchBytes);
  }

  async run(
    outputs: readonly number[],
    profile: boolean,
    copies: readonly NativeCopy[] = [],
  ): Promise<NativeResults | null> {
    this.#cancelled = false;
    const times: number[] = [];
    for (const [i, { native, step, script }] of this.#parts.entries()) {
      const before = await this.#native(native, step.inputs, profile, i === 0 ? copies : []);
      if (!before) return null;
      const began = performance.now();
      await this.#script(step, script, before.results);
      times.push(...(before.milliseconds ?? []), performance.now() - began);
    }
    const last = await this.#native(this.#last, outputs, profile, []);
    if (!last?.milliseconds) return last;
    return { ...last, milliseconds: Float64Array.of(...times, ...last.milliseconds) };
  }

  cancel(): void {
    this.#cancelled = true;
    this.#running?.cancel();
  }

  dispose(): void {
    for (const { native } of this.#parts) native.dispose();
    this.#last.dispose();
  }

  async #native(native: NativePlan, ...run: Parameters<NativePlan['run']>): Promise<NativeResults | null> {
    if (this.#cancelled) return null;
    this.#running = native;
    try {
      return await ended(native.run(...run));
    } finally {
      this.#running = undefined;
    }
  }

  async #script(step: NativeStep, script: Script, inputs: readonly Float32Array[]): Promise<void> {
    const { memories, tensors } = this.#spec;
    const places = step.outputs.map((index) => tensors[index]);
    const outputs = places.map((tensor) => tensor && new Float32Array(tensor.shape.reduce((a, b) => a * b, 1)));
    try {
      await script(inputs, outputs);
    } catch (cause) {
      throw new UsageError(`${step.label}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    }
    outputs.forEach((data, i) => {
      if (data) memories[places[i]!.memory]!.write(places[i]!.offset, data, 0, data.length);
    });
  }
}
