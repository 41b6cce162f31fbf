import type { Program, Step } from '../program.js';

/** A program whose steps have other kernels in place of theirs, by name, where that is worth it. */
export function replaceKernels(
  program: Program,
  kernels: Readonly<Record<string, string>>,
  isWorth: (step: Step) => boolean,
): Program {
  const steps = program.steps.map((step): Step => {
    const kernel = Object.hasOwn(kernels, step.kernel) ? kernels[step.kernel] : undefined;
    return kernel !== undefined && isWorth(step) ? { ...step, kernel } : step;
  });
  return { ...program, steps };
}
