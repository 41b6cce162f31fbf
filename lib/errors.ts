/** What went wrong, for programs; messages are for people and may change. */
export type ErrorCode =
  | 'SHAPE' // extents, counts or dtypes that do not fit together
  | 'GRAPH' // names, order or structure of a graph
  | 'FORMAT' // a file or buffer that is not what it should be
  | 'USAGE' // an argument that makes no sense
  | 'DEVICE' // a device that is missing, lost or refuses
  | 'OUT_OF_MEMORY'
  | 'ADDON_NOT_FOUND'
  | 'DISPOSED' // a call on something already disposed
  | 'NOT_FINITE' // NaN or infinity where the caller asked for none
  | 'DIVERGED' // a training whose loss is lost
  | 'INTERNAL'; // a broken promise between Cortado's own parts: please report it

/** What an error is given besides its message. */
export interface ErrorOptions {
  readonly cause?: unknown;
}

/** Base of every error that Cortado raises. Tell errors apart by `code` (or by class), never by message. */
export class CortadoError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** Two shapes, counts or dtypes that break a rule; the message names the layer, the rule and both sides. */
export class ShapeError extends CortadoError {
  constructor(message: string, options?: ErrorOptions) {
    super('SHAPE', message, options);
  }
}

/** A graph that cannot be: unknown or doubled names, cycles, values of another graph. */
export class GraphError extends CortadoError {
  constructor(message: string, options?: ErrorOptions) {
    super('GRAPH', message, options);
  }
}

/** A file or buffer that is truncated, hostile or of another format; the message names the place in it. */
export class FormatError extends CortadoError {
  constructor(message: string, options?: ErrorOptions) {
    super('FORMAT', message, options);
  }
}

/** An argument or option out of its range. */
export class UsageError extends CortadoError {
  constructor(message: string, options?: ErrorOptions) {
    super('USAGE', message, options);
  }
}

/** Why a device cannot be had. */
export type DeviceProblem =
  | 'unknown' // no such name
  | 'not-built' // the library of its kernels is not there
  | 'broken' // it is there and does not load
  | 'no-driver'
  | 'old-driver'
  | 'no-device' // a driver, but no device
  | 'no-such-index'
  | 'refused'; // any other answer of its driver

/** What a DeviceError tells besides its message, where a device could not be opened. */
export interface DeviceDetails {
  readonly problem: DeviceProblem;
  /** What was tried: a file, a call. */
  readonly tried: string;
  /** The command that mends it, where there is one. */
  readonly fix?: string | undefined;
}

/** A device that is not there, is lost, or refused a call. */
export class DeviceError extends CortadoError {
  /** Set where the device could not be opened. */
  readonly problem: DeviceProblem | undefined;
  readonly tried: string | undefined;
  readonly fix: string | undefined;

  constructor(message: string, options?: ErrorOptions & Partial<DeviceDetails>) {
    super('DEVICE', message, options);
    this.problem = options?.problem;
    this.tried = options?.tried;
    this.fix = options?.fix;
  }
}

/** Memory that could not be had; the message says how much was asked for. The model stays usable at a smaller batch. */
export class OutOfMemoryError extends CortadoError {
  constructor(message: string, options?: ErrorOptions) {
    super('OUT_OF_MEMORY', message, options);
  }
}

/** A call on a model or memory after its dispose(). */
export class DisposedError extends CortadoError {
  constructor(message: string, options?: ErrorOptions) {
    super('DISPOSED', message, options);
  }
}

/** NaN or infinity where there must be none. */
export class NotFiniteError extends CortadoError {
  /** What it was found in first: a layer, with the pass behind a point where it was not forward, or an input. */
  readonly where: string;

  constructor(where: string, options?: ErrorOptions) {
    super('NOT_FINITE', `${where}: expected finite numbers, got NaN or infinity`, options);
    this.where = where;
  }
}

/** A training whose loss is NaN, infinite or many times what it was: it learns nothing any more. */
export class DivergedError extends CortadoError {
  /** The update that was not made, or the last one that was; counts from 1. */
  readonly iteration: number;
  /** Where it began: a layer, or an input. */
  readonly where: string;

  constructor(iteration: number, where: string, message: string, options?: ErrorOptions) {
    super('DIVERGED', message, options);
    this.iteration = iteration;
    this.where = where;
  }
}

/** A place where the loader looked for the native addon, and why it was not taken. */
export interface AddonAttempt {
  readonly path: string;
  readonly reason: string;
}

/** The native addon could not be loaded: `tried` lists each place, `fix` is the command that mends it. */
export class AddonError extends CortadoError {
  readonly tried: readonly AddonAttempt[];
  readonly fix: string;

  constructor(message: string, tried: readonly AddonAttempt[], fix: string, options?: ErrorOptions) {
    super('ADDON_NOT_FOUND', message, options);
    this.tried = tried;
    this.fix = fix;
  }
}

const CLASSES = {
  SHAPE: ShapeError,
  GRAPH: GraphError,
  FORMAT: FormatError,
  USAGE: UsageError,
  DEVICE: DeviceError,
  OUT_OF_MEMORY: OutOfMemoryError,
  DISPOSED: DisposedError,
} as const;

/** Makes the error class that belongs to a code: for errors that arrive as data from native code. */
export function errorOf(code: string, message: string, options?: ErrorOptions): CortadoError {
  const Class = CLASSES[code as keyof typeof CLASSES] as (typeof CLASSES)[keyof typeof CLASSES] | undefined;
  return Class ? new Class(message, options) : new CortadoError('INTERNAL', message, options);
}
