import { GraphError } from '../../errors.js';
import type { Shape } from '../../shape.js';
import { filled, InputParameter, TransformationParameter, type Layer } from '../schema.js';
import { at } from '../text/position.js';

/** What a caller may say of the inputs of a net. */
export interface InputOptions {
  /** Images of a run, in place of what the file says. */
  readonly batch?: number;
  /** Extents of one image, by blob: `{ data: [3, 32, 32], label: [] }`; needed where the file does not tell. */
  readonly shapes?: Readonly<Record<string, Shape>>;
}

/** A blob that the user feeds. */
export interface NetInput {
  readonly name: string;
  /** With the batch in front. */
  readonly shape: Shape;
  readonly layer: Layer;
}

/** Extents that a data layer gives its tops, the batch in front; undefined where only the data would tell. */
type Tops = (layer: Layer) => readonly (Shape | undefined)[];

const SOURCES: Readonly<Record<string, Tops>> = {
  Input(layer) {
    const { shape } = filled(InputParameter, layer.input_param);
    if (shape.length !== 1 && shape.length !== layer.top.length) {
      throw new GraphError(
        `${at(layer)}layer ${shown(layer)}: expected one shape or ${layer.top.length}, got ${shape.length}`,
      );
    }
    return layer.top.map((_, i) => (shape.length === 1 ? shape[0]?.dim : shape[i]?.dim));
  },
  DummyData(layer) {
    const { shape = [], num = [], channels = [], height = [], width = [] } = layer.dummy_data_param ?? {};
    const pick = <T>(list: readonly T[], i: number): T | undefined => (list.length === 1 ? list[0] : list[i]);
    return layer.top.map((_, i) => {
      const given = pick(shape, i)?.dim;
      const four = [pick(num, i), pick(channels, i), pick(height, i), pick(width, i)];
      return given ?? (four.every((extent) => extent !== undefined) ? four : undefined);
    });
  },
  MemoryData(layer) {
    const { batch_size: n = 0, channels = 0, height = 0, width = 0 } = layer.memory_data_param ?? {};
    return [[n, channels, height, width], [n]];
  },
  Data: (layer) => images(layer, layer.data_param?.batch_size),
  ImageData: (layer) => images(layer, layer.image_data_param?.batch_size ?? 1, layer.image_data_param),
  WindowData: (layer) => images(layer, layer.window_data_param?.batch_size),
  HDF5Data: (layer) => layer.top.map(() => undefined),
};

/** Batch that the file gives where it gives no extents. */
function batchOf(layer: Layer): number {
  return (
    layer.data_param?.batch_size ??
    layer.hdf5_data_param?.batch_size ??
    layer.image_data_param?.batch_size ??
    layer.window_data_param?.batch_size ??
    1
  );
}

function images(
  layer: Layer,
  n = 1,
  size?: { new_height?: number; new_width?: number; is_color?: boolean },
): readonly (Shape | undefined)[] {
  const { crop_size, force_gray } = filled(TransformationParameter, layer.transform_param);
  const channels = force_gray || size?.is_color === false ? 1 : 3;
  const [height, width] = crop_size > 0 ? [crop_size, crop_size] : [size?.new_height ?? 0, size?.new_width ?? 0];
  return [height > 0 && width > 0 ? [n, channels, height, width] : undefined, [n]];
}

/** Whether a layer feeds the net instead of computing. */
export function isSource(layer: Layer): boolean {
  return Object.hasOwn(SOURCES, layer.type ?? '');
}

/** The inputs of a net: the tops of its data layers. @throws {GraphError} where extents are not known */
export function netInputs(layers: readonly Layer[], options: InputOptions): NetInput[] {
  const inputs = layers.filter(isSource).flatMap((layer) => {
    const known = SOURCES[layer.type ?? '']?.(layer) ?? [];
    return layer.top.map((name, i) => ({ name, shape: shapeOf(layer, name, known[i], options), layer }));
  });
  for (const name of Object.keys(options.shapes ?? {})) {
    if (inputs.some((each) => each.name === name)) continue;
    throw new GraphError(
      `shapes: expected the names of inputs (${inputs.map((each) => each.name).join(', ')}), got "${name}"`,
    );
  }
  return inputs;
}

function shapeOf(layer: Layer, name: string, known: Shape | undefined, { shapes, batch }: InputOptions): Shape {
  const given = shapes && Object.hasOwn(shapes, name) ? shapes[name] : undefined;
  if (given) return [batch ?? known?.[0] ?? batchOf(layer), ...given];
  if (!known) {
    throw new GraphError(
      `${at(layer)}layer ${shown(layer)}: the extents of "${name}" are not in the file; give them, as in { shapes: { "${name}": [3, 32, 32] } }`,
    );
  }
  return known;
}

/** How a layer is called in errors. */
export function shown({ name, type }: Layer): string {
  return name === undefined ? `of type ${String(type)}` : JSON.stringify(name);
}
