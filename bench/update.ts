import { constant, sgd } from '../lib/index.js';
import { allocate, prepare, type NativeDevice } from '../lib/native.js';
import type { Peak } from '../lib/probe.js';
import type { KernelRow } from './kernels.js';
import { median } from './timing.js';

/** Gradient, weight and history are read, the latter two written. */
const BYTES = 20;
/** history = momentum · history + rate · (gradient + decay · weight); weight -= history. */
const FLOPS = 6;

/** As a weight of a layer is, unless it says otherwise. */
const WEIGHT = { filler: constant(0), rate: 1, decay: 1, learned: true };

/** Times the update of parameters by SGD with momentum, in one tensor. */
export async function benchUpdate(
  device: NativeDevice | undefined,
  peak: Pick<Peak, 'gflops' | 'gbps'>,
  seconds: number,
  count: number,
): Promise<KernelRow> {
  const bytes = Math.ceil((count * 4) / 64) * 64;
  const memory = allocate(3 * bytes + 64, device);
  const [gradient, weight, history, pace] = [0, 1, 2, 3];
  const plan = await prepare({
    memories: [memory],
    tensors: [
      ...[0, bytes, 2 * bytes].map((offset) => ({ offset, shape: [count] })),
      { offset: 3 * bytes, shape: [3] },
    ].map((place) => ({ memory: 0, ...place, dtype: 'f32' as const })),
    steps: [
      ...[gradient, weight, history, pace].map((tensor) => ({
        kernel: 'fill',
        label: 'touch',
        inputs: [],
        outputs: [tensor],
        attributes: { value: 0.5 },
      })),
      {
        kernel: 'sgd',
        label: 'update',
        inputs: [gradient, pace, -1, weight, history],
        outputs: [weight, history],
        attributes: sgd({ rate: 0.01, momentum: 0.9, weightDecay: 5e-4 }).attributes(WEIGHT),
      },
    ],
    threads: 1,
  });
  const times: number[] = [];
  try {
    for (const end = performance.now() + seconds * 1000; performance.now() < end || times.length < 11;)
      times.push((await plan.run([], true))!.milliseconds!.at(-1)!);
  } finally {
    plan.dispose();
    memory.dispose();
  }
  const ms = median(times.slice(1));
  const [gflops, gbps] = [(FLOPS * count) / ms / 1e6, (BYTES * count) / ms / 1e6];
  const share = Math.max(gflops / peak.gflops, gbps / peak.gbps);
  return { layer: 'update', kernel: 'sgd', batch: 1, ms, gflops, gbps, share };
}
