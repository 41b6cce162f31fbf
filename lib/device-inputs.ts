import type { Device } from './device.js';
import { DisposedError } from './errors.js';
import { allocate, type NativeMemory } from './native.js';
import { roundUp } from './passes/index.js';
import { count, type Shape } from './shape.js';

/** Where a tensor begins. */
export interface Place {
  readonly memory: NativeMemory;
  readonly offset: number;
}

/** A float32 tensor in the memory of a device, for inputs of its shape: of any name, in any model on that device. */
export class DeviceTensor {
  constructor(
    /** Where it lies. */
    readonly device: Device,
    readonly shape: Shape,
    /** @throws {DisposedError} */
    readonly place: () => Place,
  ) {}
}

/**
 * Inputs in the memory of a model's device, which take the place of arrays in any number of runs. Make them with
 * `model.upload`; release them with `dispose()` or `using`: they are not the model's, and outlive it.
 */
export class DeviceInputs<I extends string = string> {
  /** By the names of the inputs. Each is a `Feed` by itself, which may be handed in beside arrays. */
  readonly tensors: Readonly<Record<I, DeviceTensor>>;
  readonly #memory: NativeMemory;
  #disposed = false;

  /** Room for tensors of these shapes. @throws {OutOfMemoryError} */
  constructor(
    readonly device: Device,
    shapes: Readonly<Record<I, Shape>>,
  ) {
    let bytes = 0;
    const tensors = Object.entries<Shape>(shapes).map(([name, shape]) => {
      const offset = bytes;
      bytes += roundUp(4 * count(shape));
      return [name, new DeviceTensor(device, shape, () => ({ memory: this.#live(name), offset }))] as const;
    });
    this.tensors = Object.fromEntries(tensors) as Record<I, DeviceTensor>;
    this.#memory = allocate(bytes, device.native);
  }

  /** Bytes of the device that they hold: 0 once they are disposed. */
  get bytes(): number {
    return this.#memory.bytes;
  }

  /**
   * Releases their memory. A run that has begun keeps it to its end; one that still waits for its turn is rejected with a
   * DisposedError. May be called twice.
   */
  dispose(): void {
    this.#disposed = true;
    this.#memory.dispose();
  }

  /** As `dispose()`: for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  #live(name: string): NativeMemory {
    if (this.#disposed)
      throw new DisposedError(`${name}: expected a live tensor on ${this.device.name}, got a disposed one`);
    return this.#memory;
  }
}
