import { CortadoError, errorOf } from './errors.js';
import { findAddon } from './native-loader.js';
import type { Attributes } from './op.js';
import type { Precision } from './passes/index.js';
import type { DType, NativeKernel } from './program.js';
import type { Shape } from './shape.js';

/** What this machine offers. */
export interface NativeInfo {
  /** Instruction set in use (CORTADO_ISA or the widest). */
  readonly isa: string;
  readonly isas: readonly string[];
  /** Default team: CORTADO_THREADS or the physical cores. */
  readonly threads: number;
  readonly physicalCores: number;
  /** Bytes this process can still get. */
  readonly availableMemory: number;
}

/** Pictures that are normalized while they are copied: (x + shift − mean) · scale in float32. */
export interface NativeImages {
  /** Any number of pictures (channels, height, width). */
  readonly data: Float32Array | Uint8Array;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** (channels, meanHeight, meanWidth); of 1 × 1: one number for a channel. */
  readonly mean: Float32Array;
  readonly meanHeight: number;
  readonly meanWidth: number;
  /** (channels). */
  readonly scale: Float32Array;
  /** (pictures, 3): top, left, mirrored in the picture of means. Default: its top left. */
  readonly windows?: Int32Array | undefined;
  /** (pictures, channels). Default 0. */
  readonly shift?: Float32Array | undefined;
}

/** What is to be made of a picture: it is resized, and windows are cut out of it. */
export interface NativeCut {
  /** Rows of pixels of `channels` bytes, 1 or 3. */
  readonly data: Uint8Array;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly resized: readonly [height: number, width: number];
  /** Of each window. */
  readonly extents: readonly [height: number, width: number];
  /** (windows, 3): top, left, and whether it is mirrored (0 or 1). */
  readonly windows: Int32Array;
  /** The channel of each plane that is made, or GREY. Undefined: pixels as they lie. */
  readonly planes?: readonly number[];
  /** One window behind the other. */
  readonly out: Uint8Array;
}

/** A plane of grey, as ITU-R BT.601 mixes it. */
export const GREY = -1;

/** An open device. */
export interface NativeDevice {
  readonly libraries: readonly NativeLibrary[];
}

/** What became of a library that a device may use. */
export interface NativeLibrary {
  readonly name: string;
  /** The file, or empty. */
  readonly path: string;
  /** Why it is not used; empty where it is. */
  readonly problem: string;
  /** As its maker numbers it. */
  readonly version: number;
}

/** What a device is opened with. */
export interface NativeOptions {
  /** Files to try, best first. */
  readonly cudnn: readonly string[];
  readonly cublaslt: readonly string[];
  /** The folder where plans of these libraries are kept; empty: not at all. */
  readonly plans: string;
  /** Threads of this machine that may work for the device at once. */
  readonly threads: number;
}

/** What the library of a device finds on this machine; versions as CUDA numbers them, 0 where there is none. */
export interface NativeFinding {
  readonly driver: number;
  readonly runtime: number;
  readonly devices: number;
  readonly error: NativeFailure | null;
}

/** A call that a device's driver refused. */
export interface NativeFailure {
  readonly call: string;
  readonly code: number;
  readonly name: string;
  readonly text: string;
}

/** A block of a device's memory. */
export interface NativeMemory {
  readonly bytes: number;
  /** Copies elements [start, end) of `array`, as float32, to byte `offset`. Uint32Arrays are copied as they are. */
  write(
    offset: number,
    array: Float32Array | Float64Array | Int32Array | Uint8Array | Uint32Array,
    start: number,
    end: number,
  ): void;
  /** Normalizes pictures [first, last) to byte `offset`. */
  writeImages(offset: number, images: NativeImages, first: number, last: number): void;
  dispose(): void;
}

/** What a run brings from one memory to another before its first step, both of the plan's device. */
export interface NativeCopy {
  readonly from: NativeMemory;
  readonly fromOffset: number;
  readonly to: NativeMemory;
  readonly toOffset: number;
  readonly bytes: number;
}

export interface NativePlanSpec {
  /** Of one device, on which the plan runs. */
  readonly memories: readonly NativeMemory[];
  readonly tensors: readonly {
    readonly memory: number;
    readonly offset: number;
    readonly shape: Shape;
    readonly dtype: DType;
    /** Of images (n, c, h, w): their elements lie as (n, h, w, c). Default false. */
    readonly channelsLast?: boolean;
  }[];
  readonly steps: readonly {
    readonly kernel: string;
    readonly label: string;
    readonly inputs: readonly number[];
    readonly outputs: readonly number[];
    readonly attributes: Attributes;
    /** Computes it instead of the kernel: the CPU's only. */
    readonly native?: NativeKernel;
  }[];
  readonly threads: number;
  /** What products may round their inputs to. Default float32. */
  readonly precision?: Precision;
  /** From this step on a run is no longer cancelled. Default: it always can be. */
  readonly commit?: number;
  /** Flags (i32): where one is raised when the commit is reached, the run ends there. Default: none. */
  readonly guards?: readonly number[];
}

export interface NativeResults {
  readonly results: readonly Float32Array[];
  /** Per step, when asked for. */
  readonly milliseconds?: Float64Array;
}

/** What becomes of a run: null when it was cancelled. No promise where it was too short to be worth another thread. */
export type NativeRun = NativeResults | Promise<NativeResults | null>;

/** A prepared plan. */
export interface NativePlan {
  readonly scratchBytes: number;
  run(outputs: readonly number[], profile: boolean, copies?: readonly NativeCopy[]): NativeRun;
  /** Cancels the latest run between two of its steps. */
  cancel(): void;
  dispose(): void;
}

interface Addon {
  info(): NativeInfo;
  cutPicture(cut: NativeCut): void;
  readonly Device: {
    new (library: string, index: number, options: NativeOptions): NativeDevice;
    examine(library: string): NativeFinding;
    isOpen(library: string): boolean;
  };
  readonly Memory: new (bytes: number, device?: NativeDevice) => NativeMemory;
  readonly Plan: new (spec: NativePlanSpec) => NativePlan & { prepare(): Promise<void> };
}

let loaded: { readonly addon: Addon; readonly path: string } | undefined;

function addon(): Addon {
  return (loaded ??= findAddon() as { readonly addon: Addon; readonly path: string }).addon;
}

/** Where the addon was found. @throws {AddonError} */
export const addonPath = (): string => (addon(), loaded!.path);

/** @throws {AddonError} when there is no addon; {DeviceError} when CORTADO_ISA cannot be had */
export const info = (): NativeInfo => rethrow(() => addon().info());

/** Resizes and cuts, on the calling thread. @throws {AddonError} when there is no addon */
export const cutPicture = (cut: NativeCut): void => rethrow(() => addon().cutPicture(cut));

/** Opens a device of a library. @throws {DeviceError} */
export const openLibrary = (library: string, index: number, options: NativeOptions): NativeDevice =>
  rethrow(() => new (addon().Device)(library, index, options));

/** What the library finds, without opening any device. @throws {DeviceError} when it does not load */
export const examineLibrary = (library: string): NativeFinding => rethrow(() => addon().Device.examine(library));

/** Whether this process has opened the library before. */
export const isOpenLibrary = (library: string): boolean => rethrow(() => addon().Device.isOpen(library));

/** Memory of a device; undefined: the CPU. @throws {OutOfMemoryError} */
export const allocate = (bytes: number, device?: NativeDevice): NativeMemory =>
  rethrow(() => new (addon().Memory)(bytes, device));

/** Checks and prepares every step, on another thread. @throws {CortadoError} */
export async function prepare(spec: NativePlanSpec): Promise<NativePlan> {
  const plan = rethrow(() => new (addon().Plan)(spec));
  await plan.prepare().catch((error: unknown) => {
    throw typed(error);
  });
  return plan;
}

/** The end of a run. Between any two the event loop turns, however short they are. @throws {CortadoError} */
export async function ended(run: NativeRun): Promise<NativeResults | null> {
  if (!(run instanceof Promise)) {
    await new Promise((resolve) => setImmediate(resolve));
    return run;
  }
  try {
    return await run;
  } catch (error) {
    throw typed(error);
  }
}

/** Turns an error that arrives from native code as a message and a code into its class, with the caller's stack. */
export function rethrow<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw typed(error);
  }
}

export function typed(error: unknown): unknown {
  if (error instanceof CortadoError || !(error instanceof Error) || !('code' in error)) return error;
  return errorOf(String(error.code), error.message, { cause: error });
}
