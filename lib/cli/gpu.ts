import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buildCudaCommand, cudaVersion, hasNvidiaCard } from '../device.js';
import type { NativeFailure } from '../native.js';
import type { Finding } from './finding.js';
import { CUBLASLT, CUDNN, systemFolders, type Wanted } from '../libraries.js';
import { findLibrary } from './libraries.js';
import { installCommand, nvcc } from './toolchain.js';

/** A GPU as the CUDA backend sees it; `error` is null where one of our kernels ran there. */
export interface GpuDevice {
  readonly index: number;
  readonly name?: string;
  readonly computeCapability?: string;
  readonly memory?: number;
  readonly free?: number;
  readonly multiprocessors?: number;
  readonly error: NativeFailure | null;
}

/** What native/cuda/probe.h describes. */
interface Probe {
  readonly abi: number;
  readonly built: { readonly toolkit: number; readonly architectures: string };
  readonly driver: number;
  readonly runtime: number;
  readonly error: NativeFailure | null;
  readonly devices: readonly GpuDevice[];
}

export interface GpuReport {
  /** True when at least one GPU ran a kernel of ours. */
  readonly usable: boolean;
  readonly findings: readonly Finding[];
  readonly devices: readonly GpuDevice[];
}

const windows = process.platform === 'win32';
const driverLibrary: Wanted = {
  names: [windows ? 'nvcuda.dll' : 'libcuda.so.1'],
  variables: [],
  folders: windows ? [] : [...systemFolders.slice(0, 2), '/usr/lib/wsl/lib', '/usr/local/nvidia/lib64'],
};
/** Each thing that computing on a GPU needs. `addonPath` is where the addon is or would be. */
export function examineGpu(addonPath: string): GpuReport {
  const folder = dirname(addonPath);
  if (process.platform === 'darwin') {
    const finding: Finding = { name: 'CUDA', state: 'missing', found: 'not offered on macOS', looked: [] };
    return { usable: false, findings: [finding], devices: [] };
  }
  const probe = runProbe(folder);
  const devices = typeof probe === 'string' || probe === undefined ? [] : probe.devices;
  const findings = [
    driver(probe),
    runtime(probe),
    library('cuDNN 9', CUDNN, folder, 'pip install nvidia-cudnn-cu13 (or set CUDNN_ROOT to its folder)'),
    library('cuBLASLt', CUBLASLT, folder, 'pip install nvidia-cublas (or set CUBLAS_ROOT to its folder)'),
    backend(folder, probe),
    deviceFinding(probe),
  ];
  return { usable: devices.some(({ error }) => error === null), findings, devices };
}

/** Runs the probe beside the backend: its report, what went wrong, or undefined where the backend is not built. */
function runProbe(folder: string): Probe | string | undefined {
  const program = join(folder, windows ? 'cortado_cuda_probe.exe' : 'cortado_cuda_probe');
  if (!existsSync(program)) return undefined;
  const run = spawnSync(program, [], { encoding: 'utf8', timeout: 120_000 });
  if (run.status !== 0) {
    const how = run.signal ?? run.error?.message ?? `exit code ${run.status ?? '?'}`;
    return `${program} failed: ${how} ${run.stderr.split('\n')[0] ?? ''}`.trim();
  }
  try {
    return JSON.parse(run.stdout) as Probe;
  } catch {
    return `${program} printed no JSON`;
  }
}

function driver(probe: Probe | string | undefined): Finding {
  const name = 'NVIDIA driver';
  const { path, looked, complaints } = findLibrary(driverLibrary, undefined);
  if (path !== undefined) {
    const known = typeof probe === 'object' && probe.driver > 0 ? `, up to CUDA ${cudaVersion(probe.driver)}` : '';
    return { name, state: 'ok', found: `${path}${known}`, looked };
  }
  if (complaints.length > 0)
    return { name, state: 'broken', found: complaints.join('; '), looked, fix: driverCommand() };
  if (!hasNvidiaCard()) {
    return { name, state: 'missing', found: 'not found, and no NVIDIA card on the PCI bus', looked };
  }
  return { name, state: 'missing', found: 'not found, though an NVIDIA card is there', looked, fix: driverCommand() };
}

function driverCommand(): string {
  const container = existsSync('/.dockerenv') || existsSync('/run/.containerenv');
  if (container) return 'start the container with --gpus all (NVIDIA container toolkit)';
  return installCommand('driver', 'install the NVIDIA driver for this card');
}

/** The runtime is linked into the backend; the toolkit is what builds it. */
function runtime(probe: Probe | string | undefined): Finding {
  const name = 'CUDA runtime';
  if (typeof probe === 'object') {
    return { name, state: 'ok', found: `${cudaVersion(probe.runtime)}, inside the CUDA backend`, looked: [] };
  }
  const { found, looked, fix } = nvcc();
  if (found === undefined) {
    return { name, state: 'missing', found: 'no toolkit to build it with', looked: [looked], fix };
  }
  return { name, state: 'ok', found: `comes with the CUDA backend; toolkit: ${found}`, looked: [looked] };
}

function library(name: string, wanted: Wanted, folder: string, fix: string): Finding {
  const { path, looked, complaints } = findLibrary(wanted, folder);
  if (path !== undefined) return { name, state: 'ok', found: path, looked };
  if (complaints.length > 0) return { name, state: 'broken', found: complaints.join('; '), looked, fix };
  return { name, state: 'missing', found: 'not found', looked, fix };
}

function backend(folder: string, probe: Probe | string | undefined): Finding {
  const name = 'CUDA backend';
  const path = join(folder, windows ? 'cortado_cuda.dll' : 'cortado_cuda.so');
  const fix = buildCudaCommand();
  if (probe === undefined) return { name, state: 'missing', found: 'not built', looked: [path], fix };
  if (typeof probe === 'string') return { name, state: 'broken', found: probe, looked: [path], fix };
  const built = `CUDA ${cudaVersion(probe.built.toolkit)}, for ${probe.built.architectures}`;
  return { name, state: 'ok', found: `${path} (${built})`, looked: [path] };
}

function deviceFinding(probe: Probe | string | undefined): Finding {
  const name = 'GPUs';
  if (probe === undefined || typeof probe === 'string') {
    return { name, state: 'missing', found: 'not asked: that needs the CUDA backend', looked: [] };
  }
  if (probe.devices.length === 0) {
    const found = probe.error === null ? 'none' : describe(probe.error);
    return { name, state: 'missing', found, looked: ['cudaGetDeviceCount'], fix: remedy(probe.error, probe) };
  }
  const found = probe.devices.map(line).join('; ');
  const failed = probe.devices.find(({ error }) => error !== null);
  if (failed === undefined) return { name, state: 'ok', found, looked: [] };
  return { name, state: 'broken', found, looked: [], fix: remedy(failed.error, probe, failed) };
}

function line({ index, name, computeCapability, memory, error }: GpuDevice): string {
  const size = memory === undefined ? '' : `, ${(memory / 2 ** 30).toFixed(1)} GiB`;
  const verdict = error === null ? 'runs our kernels' : describe(error);
  return `${index}: ${name ?? 'unknown'} (${computeCapability ?? '?'}${size}) ${verdict}`;
}

function describe({ call, code, name, text }: NativeFailure): string {
  return `${call} answered ${code} (${name}: ${text})`;
}

/** What mends a CUDA error, for those that have a known cause. Numbers: cudaError_t. */
function remedy(error: NativeFailure | null, probe: Probe, device?: GpuDevice): string | undefined {
  switch (error?.code) {
    case 35: // InsufficientDriver
      return probe.driver === 0
        ? undefined // No driver at all: its own line says what to do.
        : `update the NVIDIA driver: it knows CUDA ${cudaVersion(probe.driver)}, ${cudaVersion(probe.runtime)} is needed`;
    case 100: // NoDevice
      return 'see whether nvidia-smi lists the card, and unset CUDA_VISIBLE_DEVICES';
    case 209: // NoKernelImageForDevice
    case 222: {
      // UnsupportedPtxVersion
      const architecture = device?.computeCapability?.replace('.', '') ?? 'native';
      return `CORTADO_CUDA_ARCHITECTURES=${architecture} ${buildCudaCommand()}`;
    }
    case 803: // SystemDriverMismatch
      return 'reboot: the driver was updated and the old one is still loaded';
    case undefined:
      return undefined;
    default:
      return 'nvidia-smi shows the state of the card';
  }
}
