import { execFile } from 'node:child_process';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { NativeFailure, NativeFinding } from './native.js';
import {
  atPath,
  besideBundle,
  buildFolder,
  inPackage,
  isClone,
  packageVersion,
  platform,
  PLATFORMS,
  type Place,
} from './places.js';

const CUDA_FILE = 'cortado_cuda.so';
const PROBE_FILE = 'cortado_cuda_probe';

/** Whether GPUs, real or simulated, are offered on this system at all. */
export const gpusOffered = process.platform === 'linux';

/** A driver that has been asleep takes its time. */
const PROBE_LIMIT_MS = 120_000;

/** A GPU as the CUDA backend sees it; `error` is null where one of our kernels ran there. Memory in bytes. */
export interface ProbedDevice {
  readonly index: number;
  readonly name?: string;
  readonly computeCapability?: string;
  readonly memory?: number;
  readonly free?: number;
  readonly multiprocessors?: number;
  readonly error: NativeFailure | null;
}

/** What native/cuda/probe.h describes. */
export interface Probe {
  readonly built: {
    readonly toolkit: number;
    readonly architectures: string;
    /** The oldest versions that it takes of NVIDIA's libraries, as their maker numbers them; an older backend tells none. */
    readonly needed?: Readonly<Record<string, number>>;
  };
  readonly driver: number;
  readonly runtime: number;
  readonly count: number;
  readonly error: NativeFailure | null;
  readonly devices: readonly ProbedDevice[];
}

/** Every place where the CUDA backend may be, best first; `addon` is the path of the addon. CORTADO_ADDON leaves one. */
export function cudaPlaces(addon: string): Place[] {
  const beside = atPath('beside the addon', join(dirname(addon), CUDA_FILE));
  if (process.env.CORTADO_ADDON) return [beside];
  const prebuilt = inPackage(`@cortado/cuda-${platform()}`, CUDA_FILE);
  if (packageVersion === undefined) return [beside, besideBundle(CUDA_FILE), prebuilt].filter(unlike);
  return [beside, prebuilt, atPath('built on this machine', join(buildFolder, CUDA_FILE))].filter(unlike);
}

/** The first of several places of the same name. */
function unlike({ name }: Place, index: number, places: readonly Place[]): boolean {
  return places.findIndex((place) => place.name === name) === index;
}

/** The command that brings the CUDA backend. */
export function cudaCommand(): string {
  if (isClone()) return 'npm run build:cuda';
  const published = (PLATFORMS as Readonly<Record<string, { cuda: boolean }>>)[platform()]?.cuda ?? false;
  if (packageVersion === undefined || !published) return 'npx cortado build --cuda';
  return `npm install @cortado/cuda-${platform()}@${packageVersion}`;
}

/**
 * Opens the CUDA backend in a process of its own and runs a kernel on one GPU, or on all: a bad driver ends that process
 * and no other.
 * @throws {Error} whose message says how the process ended, where it did not answer
 */
export async function probeCuda(library: string, index?: number): Promise<Probe> {
  const program = join(dirname(resolve(library)), PROBE_FILE);
  const args = index === undefined ? [] : [String(index)];
  const options = { encoding: 'utf8', timeout: PROBE_LIMIT_MS } as const;
  let stdout: string;
  try {
    ({ stdout } = await promisify(execFile)(program, args, options));
  } catch (error) {
    throw new Error(`opening it in a process of its own failed: ${howItEnded(error as Ending)}`, { cause: error });
  }
  try {
    return JSON.parse(stdout) as Probe;
  } catch (error) {
    throw new Error(`${program} printed no JSON`, { cause: error });
  }
}

interface Ending extends Error {
  readonly code?: number | string;
  readonly signal?: NodeJS.Signals | null;
  readonly killed?: boolean;
  readonly stderr?: string;
}

function howItEnded({ code, signal, killed, stderr, message }: Ending): string {
  if (killed) return `no answer within ${PROBE_LIMIT_MS / 1000} s`;
  const words = stderr?.trim().split('\n')[0] ?? '';
  if (signal) return `${signal} ${words}`.trim();
  return typeof code === 'number' ? `exit code ${code} ${words}`.trim() : message;
}

/** What a probe found, as the library itself would tell it. */
export function findingOf({ driver, runtime, count, error, devices }: Probe): NativeFinding {
  return { driver, runtime, devices: count, error: error ?? devices.find((device) => device.error)?.error ?? null };
}
