import { dirname, isAbsolute, join, normalize } from 'node:path';
import { FormatError } from '../errors.js';
import type { RawTensor } from '../formats/elements.js';
import { openRanged, type Ranged } from '../formats/ranged.js';
import { found, type TensorFile } from '../formats/tensors.js';
import { decodeMessage } from '../protobuf/wire.js';
import { placesIn, type Place } from './scan.js';
import { GraphProto, ModelProto, TensorProto, type OnnxModel, type OnnxTensor } from './schema.js';
import { infoOf, rawOf } from './tensor.js';

/** A model of a file: what it computes, and its initializers, each read when it is asked for. */
export interface OnnxFile extends TensorFile {
  readonly model: OnnxModel;
}

/** The description of a net without its initializers is far smaller. */
const MOST_BYTES = 256 * 1024 * 1024;
const MOST_FIELDS = 1_000_000;

const RAW = TensorProto.fields.raw_data.id;

/** An initializer: what the file says of it, and where its raw bytes are. */
interface Initializer {
  readonly tensor: OnnxTensor;
  readonly raw: Place | undefined;
}

/**
 * Opens a model. Elements that lie in files beside it (external data) are read from there; those files must lie in the
 * model's folder or below.
 * @throws {FormatError} naming file and byte, when it is cut off or no ONNX model
 */
export async function openOnnx(source: string | Uint8Array): Promise<OnnxFile> {
  const file = await openRanged(source);
  try {
    const { model, initializers } = await readModel(file);
    const tensors = new Map(
      [...initializers].map(([name, { tensor }]) => [name, { ...infoOf(tensor, file.where), name }]),
    );
    const folder = typeof source === 'string' ? dirname(source) : undefined;
    return {
      where: file.where,
      model,
      tensors,
      metadata: {},
      read: (name) => readInitializer(file, folder, found(initializers, name, file.where)),
      close: () => file.close(),
      [Symbol.asyncDispose]: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readModel(file: Ranged): Promise<{ model: OnnxModel; initializers: Map<string, Initializer> }> {
  const { graph: graphField } = ModelProto.fields;
  const { parts, rest } = await split(file, { start: 0, end: file.size }, graphField.id);
  if (parts.length !== 1)
    throw new FormatError(`${file.where}: expected an ONNX model, got one of ${parts.length} graphs`);
  const model = decodeMessage(ModelProto, rest, file.where);
  const inner = await split(file, parts[0]!, GraphProto.fields.initializer.id);
  model.graph = decodeMessage(GraphProto, inner.rest, `${file.where}: graph`);
  const initializers = new Map<string, Initializer>();
  for (const part of inner.parts) {
    const own = await split(file, part, RAW);
    const tensor = decodeMessage(TensorProto, own.rest, `${file.where}: initializer at byte ${part.start}`);
    initializers.set(tensor.name ?? '', { tensor, raw: own.parts[0] });
  }
  return { model, initializers };
}

/** Sets the fields of one number apart by their places, and reads the rest of the message. */
async function split(
  file: Ranged,
  { start, end }: Pick<Place, 'start' | 'end'>,
  id: number,
): Promise<{ parts: Place[]; rest: Uint8Array }> {
  const parts: Place[] = [];
  const rest: Uint8Array[] = [];
  let size = 0;
  let fields = 0;
  let from = start;
  const keep = async (to: number): Promise<void> => {
    if (to > from) rest.push(await file.read(from, to - from));
  };
  for await (const place of placesIn(file, start, end)) {
    if (++fields > MOST_FIELDS) throw new FormatError(`${file.where}: expected at most ${MOST_FIELDS} fields`);
    if (place.id === id) {
      parts.push(place);
      await keep(place.whole);
      from = place.end;
    } else size += place.end - place.whole;
    if (size > MOST_BYTES)
      throw new FormatError(`${file.where}: expected at most ${MOST_BYTES} bytes beside the weights`);
  }
  await keep(end);
  return { parts, rest: Buffer.concat(rest) };
}

async function readInitializer(
  file: Ranged,
  folder: string | undefined,
  { tensor, raw }: Initializer,
): Promise<RawTensor> {
  const where = `${file.where}: initializer "${tensor.name ?? ''}"`;
  if (tensor.data_location === 1) return rawOf(tensor, where, await readExternal(tensor, folder, where));
  return rawOf(tensor, where, raw && (await file.read(raw.start, raw.end - raw.start)));
}

/** https://onnx.ai/onnx/repo-docs/ExternalData.html */
async function readExternal(tensor: OnnxTensor, folder: string | undefined, where: string): Promise<Uint8Array> {
  const entries = new Map(tensor.external_data.map(({ key, value }) => [key, value]));
  const location = entries.get('location') ?? '..';
  const path = normalize(location);
  if (folder === undefined)
    throw new FormatError(`${where}: its elements lie in ${location}: open the model by its path`);
  if (isAbsolute(path) || path.split(/[\\/]/).includes('..'))
    throw new FormatError(`${where}: expected external data in the model's folder, got ${location}`);
  await using file = await openRanged(join(folder, path));
  const offset = Number(entries.get('offset') ?? 0);
  return await file.read(offset, Number(entries.get('length') ?? file.size - offset));
}
