import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { cudaVersion, hasNvidiaCard } from '../device.js';
import { cudaCommand, cudaPlaces, gpusOffered, probeCuda, type Probe, type ProbedDevice } from '../device-library.js';
import type { NativeFailure, NativeLibrary } from '../native.js';
import { isClone, type Place } from '../places.js';
import type { Finding } from './finding.js';
import { CUBLASLT, CUDNN, systemFolders, type Wanted } from '../libraries.js';
import { findLibrary, openedLibraries } from './libraries.js';
import { installCommand, nvcc } from './toolchain.js';

export interface GpuReport {
  /** True when at least one GPU ran a kernel of ours. */
  readonly usable: boolean;
  readonly findings: readonly Finding[];
  readonly devices: readonly ProbedDevice[];
}

const driverLibrary: Wanted = {
  names: ['libcuda.so.1'],
  variables: [],
  folders: [...systemFolders.slice(0, 2), '/usr/lib/wsl/lib', '/usr/local/nvidia/lib64'],
};
/** Each thing that computing on a GPU needs. `addonPath` is where the addon is or would be. */
export async function examineGpu(addonPath: string): Promise<GpuReport> {
  if (!gpusOffered) {
    const finding: Finding = { name: 'CUDA', state: 'missing', found: 'offered on Linux only', looked: [] };
    return { usable: false, findings: [finding], devices: [] };
  }
  const places = cudaPlaces(addonPath);
  const found = places.find(({ path }) => path !== undefined);
  const folder = dirname(found?.path ?? addonPath);
  const probe = await ask(found?.path);
  const devices = typeof probe === 'string' || probe === undefined ? [] : probe.devices;
  const usable = devices.find(({ error }) => error === null);
  const opened = usable && found?.path ? await openedLibraries(addonPath, found.path, usable.index) : [];
  const known = (name: string): KnownLibrary => ({
    opened: typeof opened === 'string' ? undefined : opened.find((library) => library.name === name),
    needed: typeof probe === 'object' ? probe.built.needed?.[name] : undefined,
  });
  const findings = [
    await driver(probe),
    runtime(probe),
    await library('cuDNN 9', CUDNN, folder, known('cuDNN'), {
      fix: 'pip install nvidia-cudnn-cu13 (or set CUDNN_ROOT to its folder)',
    }),
    await library('cuBLASLt', CUBLASLT, folder, known('cuBLASLt'), {
      fix: 'pip install nvidia-cublas (or set CUBLAS_ROOT to its folder)',
    }),
    backend(places, found, typeof opened === 'string' ? opened : probe),
    deviceFinding(probe),
  ];
  return { usable: usable !== undefined && typeof opened !== 'string', findings, devices };
}

/** The probe's report, what went wrong, or undefined where there is no backend. */
async function ask(library: string | undefined): Promise<Probe | string | undefined> {
  if (library === undefined) return undefined;
  return probeCuda(library).catch((error: unknown) => (error as Error).message);
}

async function driver(probe: Probe | string | undefined): Promise<Finding> {
  const name = 'NVIDIA driver';
  const { path, looked, complaints } = await findLibrary(driverLibrary, undefined);
  if (path !== undefined) {
    const known = typeof probe === 'object' && probe.driver > 0 ? driverVersions(probe) : '';
    return { name, state: 'ok', found: `${path}${known}`, looked };
  }
  if (complaints.length > 0)
    return { name, state: 'broken', found: complaints.join('; '), looked, fix: driverCommand() };
  if (!hasNvidiaCard()) {
    return { name, state: 'missing', found: 'not found, and no NVIDIA card on the PCI bus', looked };
  }
  return { name, state: 'missing', found: 'not found, though an NVIDIA card is there', looked, fix: driverCommand() };
}

function driverVersions({ driver, runtime }: Probe): string {
  return `, up to CUDA ${cudaVersion(driver)} (${Math.floor(runtime / 1000)}.0 or newer needed)`;
}

/** What the CUDA backend says of a library: what it opened, and the oldest version that it takes. */
interface KnownLibrary {
  readonly opened: NativeLibrary | undefined;
  readonly needed: number | undefined;
}

/** Version numbers of cuDNN 9 and cuBLASLt as people write them: 92400 is 9.24.0. */
function libraryVersion(number: number): string {
  return [Math.floor(number / 10_000), Math.floor((number % 10_000) / 100), number % 100].join('.');
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

/** A library as the backend opened it, or, where it opened none, as the system's loader finds it. */
async function library(
  name: string,
  wanted: Wanted,
  folder: string,
  { opened, needed }: KnownLibrary,
  { fix }: { readonly fix: string },
): Promise<Finding> {
  const { path, looked, complaints } = await findLibrary(wanted, folder);
  const least = needed === undefined ? '' : ` (${libraryVersion(needed)} or newer needed)`;
  if (opened && opened.path !== '' && opened.problem !== '')
    return { name, state: 'broken', found: opened.problem, looked, fix };
  if (opened && opened.path !== '')
    return { name, state: 'ok', found: `${libraryVersion(opened.version)}${least}, ${opened.path}`, looked };
  if (path !== undefined) return { name, state: 'ok', found: `${path}${least}`, looked };
  if (complaints.length > 0) return { name, state: 'broken', found: complaints.join('; '), looked, fix };
  return { name, state: 'missing', found: 'not found', looked, fix };
}

function backend(places: readonly Place[], place: Place | undefined, probe: Probe | string | undefined): Finding {
  const name = 'CUDA backend';
  const looked = places.map(({ name, reason }) => (reason ? `${name} (${reason})` : name));
  const fix = cudaCommand();
  if (place === undefined || probe === undefined) return { name, state: 'missing', found: 'not found', looked, fix };
  if (typeof probe === 'string') return { name, state: 'broken', found: `${place.path}: ${probe}`, looked, fix };
  const built = `CUDA ${cudaVersion(probe.built.toolkit)}, for ${probe.built.architectures}`;
  return { name, state: 'ok', found: `${place.path} (${place.how}; ${built})`, looked };
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

function line({ index, name, computeCapability, memory, error }: ProbedDevice): string {
  const size = memory === undefined ? '' : `, ${(memory / 2 ** 30).toFixed(1)} GiB`;
  const verdict = error === null ? 'runs our kernels' : describe(error);
  return `${index}: ${name ?? 'unknown'} (${computeCapability ?? '?'}${size}) ${verdict}`;
}

function describe({ call, code, name, text }: NativeFailure): string {
  return `${call} answered ${code} (${name}: ${text})`;
}

/** What mends a CUDA error, for those that have a known cause. Numbers: cudaError_t. */
function remedy(error: NativeFailure | null, probe: Probe, device?: ProbedDevice): string | undefined {
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
      return `CORTADO_CUDA_ARCHITECTURES=${architecture} ${isClone() ? 'npm run build:cuda' : 'npx cortado build --cuda'}`;
    }
    case 803: // SystemDriverMismatch
      return 'reboot: the driver was updated and the old one is still loaded';
    case undefined:
      return undefined;
    default:
      return 'nvidia-smi shows the state of the card';
  }
}
