import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cudaCommand, cudaPlaces, findingOf, gpusOffered, probeCuda } from './device-library.js';
import { CortadoError, DeviceError, type DeviceDetails } from './errors.js';
import {
  addonPath,
  examineLibrary,
  info,
  isOpenLibrary,
  openLibrary,
  type NativeDevice,
  type NativeFinding,
  type NativeOptions,
} from './native.js';
import { candidates, CUBLASLT, CUDNN, isOff, plansFolder, wheelFolders } from './libraries.js';
import { CPU, CPU_PRECISIONS, GPU, type Precision, type Target } from './passes/index.js';
import { atPath, type Place } from './places.js';

/** Where models live and run. */
export interface Device {
  /** As `compile` takes it: `cpu`, `cuda:0`. */
  readonly name: string;
  /** Undefined: the CPU, which is always open. */
  readonly native: NativeDevice | undefined;
  /** What passes may make use of. */
  readonly target: Target;
  /** What `precision` of `compile` may be. */
  readonly precisions: readonly Precision[];
}

const cpu: Device = { name: 'cpu', native: undefined, target: CPU, precisions: CPU_PRECISIONS };
const opened = new Map<string, Promise<Device>>([[cpu.name, Promise.resolve(cpu)]]);

/**
 * Opens a device, the same one for the same name. `auto` is the one that CORTADO_DEVICE names, else the first GPU; it is
 * the CPU where there is no GPU, and says so in a warning where there is one that cannot be used.
 * @throws {DeviceError} that says what was tried and what mends it
 */
export async function openDevice(name = 'auto'): Promise<Device> {
  const wanted = name === 'auto' ? (process.env.CORTADO_DEVICE ?? '') || 'auto' : name;
  if (wanted === 'auto') return (automatic ??= bestDevice());
  const full = wanted === 'cuda' ? 'cuda:0' : wanted;
  let device = opened.get(full);
  if (!device) {
    device = gpu(full);
    opened.set(full, device);
    // What mends it may happen before the next call.
    device.catch(() => opened.delete(full));
  }
  return device;
}

async function gpu(name: string): Promise<Device> {
  const native = await open(name);
  const whole = native.libraries.every(({ problem }) => problem === '');
  return { name, native, target: GPU, precisions: whole ? ['float32', 'tf32', 'bfloat16', 'float16'] : ['float32'] };
}

let automatic: Promise<Device> | undefined;

async function bestDevice(): Promise<Device> {
  try {
    return await openDevice('cuda');
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error;
    if (!isAbsence(error)) process.emitWarning(`${error.message}; using the CPU`, { code: 'CORTADO_DEVICE' });
    return cpu;
  }
}

/** Whether there simply is no GPU here. */
function isAbsence({ problem }: DeviceError): boolean {
  if (problem === 'no-driver' || problem === 'not-built') return !hasNvidiaCard();
  return problem === 'no-device';
}

/** True when a display or compute card of NVIDIA's vendor number is on the bus. */
export function hasNvidiaCard(): boolean {
  const bus = '/sys/bus/pci/devices';
  if (!existsSync(bus)) return existsSync('/dev/dxg');
  const read = (device: string, file: string): string => readFileSync(join(bus, device, file), 'utf8').trim();
  return readdirSync(bus).some((device) => {
    try {
      return read(device, 'vendor') === '0x10de' && read(device, 'class').startsWith('0x03');
    } catch {
      return false;
    }
  });
}

/** The number of the GPU that a name means; undefined for a name that means none. */
export function gpuIndex(name: string): number | undefined {
  if (name === 'cuda' || name === 'cuda-sim') return 0;
  const index = /^cuda:(\d{1,6})$/.exec(name)?.[1];
  return index === undefined ? undefined : Number(index);
}

async function open(name: string): Promise<NativeDevice> {
  const index = gpuIndex(name);
  if (index === undefined) {
    throw problem(`device: expected auto, cpu, cuda, cuda:<n> or cuda-sim, got ${name}`, {
      problem: 'unknown',
      tried: name,
    });
  }
  if (!gpusOffered) {
    const message = `${name}: GPUs are offered on Linux only, this is ${process.platform}`;
    throw problem(message, { problem: 'not-built', tried: process.platform });
  }
  const simulated = name === 'cuda-sim';
  const fix = simulated ? 'npm run build:sim' : cudaCommand();
  const places = simulated
    ? [atPath('beside the addon', join(dirname(addonPath()), 'cortado_cuda_sim.so'))]
    : cudaPlaces(addonPath());
  const path = places.find((place) => place.path !== undefined)?.path;
  if (path === undefined) throw absent(name, places, fix);
  try {
    // A driver may end the process that it is opened in: the first time, this is not to be ours.
    const trusted = simulated || isOpenLibrary(path);
    checkFinding(name, index, trusted ? examineLibrary(path) : findingOf(await probeCuda(path, index)));
    return warned(openLibrary(path, index, await optionsOf(name, path)), name);
  } catch (error) {
    if (!(error instanceof Error) || (error instanceof DeviceError && error.problem)) throw error;
    if (error instanceof CortadoError && error.code !== 'DEVICE') throw error;
    throw problem(`${name}: ${path}: ${error.message}`, { problem: 'broken', tried: path, fix }, error);
  }
}

function absent(name: string, places: readonly Place[], fix: string): DeviceError {
  const tried = places.map((place) => `${place.name}: ${place.reason}`).join('; ');
  return problem(`${name}: expected the kernels of this device, found none (tried ${tried})`, {
    problem: 'not-built',
    tried,
    fix,
  });
}

/** The simulated GPU has libraries of its own, in its own file. */
async function optionsOf(name: string, path: string): Promise<NativeOptions> {
  const beside = dirname(addonPath());
  const { threads } = info();
  if (name === 'cuda-sim') {
    const [cudnn, cublaslt] = [CUDNN, CUBLASLT].map((wanted) => (isOff(wanted) ? [] : [path]));
    return { cudnn: cudnn!, cublaslt: cublaslt!, plans: process.env.CORTADO_CACHE ? plansFolder() : '', threads };
  }
  const wheels = await wheelFolders();
  const [cudnn, cublaslt] = [CUDNN, CUBLASLT].map((wanted) => candidates(wanted, beside, wheels));
  return { cudnn: cudnn!, cublaslt: cublaslt!, plans: plansFolder(), threads };
}

/** Says of a library that is there and cannot be used why not; one that is not there is not missed. */
function warned(device: NativeDevice, name: string): NativeDevice {
  for (const { name: library, path, problem } of device.libraries) {
    if (path !== '' && problem !== '')
      process.emitWarning(`${name}: ${library}: ${problem}; computing without it`, { code: 'CORTADO_DEVICE' });
  }
  return device;
}

/** CUDA's version number as people write it: 13000 is 13.0. */
export function cudaVersion(number: number): string {
  return `${Math.floor(number / 1000)}.${Math.floor((number % 1000) / 10)}`;
}

// cudaError_t.
const INSUFFICIENT_DRIVER = 35;
const NO_DEVICE = 100;

function checkFinding(name: string, index: number, { driver, runtime, devices, error }: NativeFinding): void {
  const tried = error?.call ?? 'cudaGetDeviceCount';
  if (driver === 0)
    throw problem(`${name}: expected an NVIDIA driver, found none`, {
      problem: 'no-driver',
      tried,
      fix: hasNvidiaCard() ? 'npx cortado doctor' : undefined,
    });
  if (error?.code === INSUFFICIENT_DRIVER || driver < Math.floor(runtime / 1000) * 1000)
    throw problem(
      `${name}: expected an NVIDIA driver that knows CUDA ${cudaVersion(runtime)}, found one up to ${cudaVersion(driver)}`,
      { problem: 'old-driver', tried, fix: 'update the NVIDIA driver' },
    );
  if (error?.code === NO_DEVICE || (!error && devices === 0))
    throw problem(`${name}: expected an NVIDIA GPU, the driver sees none`, {
      problem: 'no-device',
      tried,
      fix: process.env.CUDA_VISIBLE_DEVICES === undefined ? 'nvidia-smi' : 'unset CUDA_VISIBLE_DEVICES',
    });
  if (error)
    throw problem(`${name}: ${error.call} answered ${error.code} (${error.name}: ${error.text})`, {
      problem: 'refused',
      tried,
      fix: 'nvidia-smi',
    });
  if (index >= devices)
    throw problem(`${name}: expected a GPU from cuda:0 to cuda:${devices - 1}`, { problem: 'no-such-index', tried });
}

function problem(message: string, details: DeviceDetails, cause?: unknown): DeviceError {
  const mend = details.fix === undefined ? '' : `; to mend it: ${details.fix}`;
  return new DeviceError(`${message}${mend}`, { ...details, ...(cause !== undefined && { cause }) });
}
