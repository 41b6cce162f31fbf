import { pause } from '../bytes.js';
import { FormatError } from '../errors.js';
import { readBinary, writePieces, type Piece, type Source } from '../file.js';
import { split, type RawField } from '../protobuf/records.js';
import { decodeMessage, encodeMessage, nest } from '../protobuf/wire.js';
import { checkBlob, decodeBlob, encodeBlob, type Blob } from './blob.js';
import { isHdf5, readCaffemodelHdf5, writeCaffemodelHdf5 } from './hdf5.js';
import {
  BlobProto,
  create,
  LayerParameter,
  NetParameter,
  V0LayerParameter,
  V1LayerParameter,
  type Layer,
  type Net,
  type V1Layer,
} from './schema.js';
import { upgradeNet } from './upgrade.js';

/** The weights of one layer. */
export interface LayerWeights {
  readonly name: string;
  /** As in prototxt: `Convolution`. */
  readonly type: string;
  /** Weight first, then bias, or whatever the type keeps. */
  readonly blobs: readonly Blob[];
  /** All else that the file says of the layer; its own `blobs` are empty. */
  readonly definition?: Layer;
}

/** The content of a .caffemodel file. */
export interface CaffeModel {
  readonly name: string;
  readonly layers: readonly LayerWeights[];
  /** All else that the file says of the net; its `layer` is empty. */
  readonly definition?: Net;
}

/** How weights are read. */
export interface ReadOptions {
  /** Reads gradients too, which few files have. Default false. */
  readonly diffs?: boolean;
}

type BlobMessage = Layer['blobs'][number];
/** Where the blobs of each layer lie; the upgrade carries the empty messages along. */
type Places = Map<BlobMessage, Piece>;

const NET = { layers: NetParameter.fields.layers.id, layer: NetParameter.fields.layer.id };

/**
 * Reads weights: any version of the format, blobs of either layout and width, gzipped or not; a path that ends in `.h5`
 * is HDF5, which tells neither the types of the layers nor their order. Numbers become float32.
 * Large files take many turns of the event loop, none of them long.
 * @throws {FormatError} naming the file and the layer or byte, when it is cut off or not what it should be
 */
export async function readCaffemodel(source: Source, options: ReadOptions = {}): Promise<CaffeModel> {
  if (isHdf5(source)) return readCaffemodelHdf5(source, options);
  const file = await readBinary(source);
  const { parts, rest } = split(file, [NET.layers, NET.layer]);
  const net = decodeMessage(NetParameter, rest, file.where);
  const places: Places = new Map();
  for (const [index, part] of parts.entries()) {
    if (index % 1000 === 999) await pause();
    const piece = { bytes: part.value, origin: part.origin, where: `${file.where}: layer ${index}` };
    if (part.id === NET.layer) net.layer.push(decodeLayer(piece, places));
    else net.layers.push(decodeV1(piece, places));
  }
  const upgraded = upgradeNet(net);
  const layers: LayerWeights[] = [];
  for (const definition of upgraded.layer) layers.push(await withBlobs(definition, places, options));
  return { name: upgraded.name ?? '', layers, definition: { ...upgraded, layer: [] } };
}

async function withBlobs(layer: Layer, places: Places, options: ReadOptions): Promise<LayerWeights> {
  const { name = '', type = '' } = layer;
  const blobs: Blob[] = [];
  for (const message of layer.blobs) {
    const piece = places.get(message);
    if (piece)
      blobs.push(
        await decodeBlob({ ...piece, where: `${piece.where} ${JSON.stringify(name)}, blob ${blobs.length}` }, options),
      );
  }
  return { name, type, blobs, definition: { ...layer, blobs: [] } };
}

function decodeLayer(piece: Piece, places: Places): Layer {
  const { parts, rest } = split(piece, [LayerParameter.fields.blobs.id]);
  const layer = decodeMessage(LayerParameter, rest, piece.where, piece.origin);
  layer.blobs = leave(parts, piece, places);
  return layer;
}

function decodeV1(piece: Piece, places: Places): V1Layer {
  const { blobs, layer: inner } = V1LayerParameter.fields;
  const { parts, rest } = split(piece, [blobs.id, inner.id]);
  const layer = decodeMessage(V1LayerParameter, rest, piece.where, piece.origin);
  layer.blobs = leave(
    parts.filter((part) => part.id === blobs.id),
    piece,
    places,
  );
  for (const part of parts.filter(({ id }) => id === inner.id)) {
    const old = { bytes: part.value, origin: part.origin, where: piece.where };
    const divided = split(old, [V0LayerParameter.fields.blobs.id]);
    layer.layer = decodeMessage(V0LayerParameter, divided.rest, old.where, old.origin);
    layer.layer.blobs = leave(divided.parts, piece, places);
  }
  return layer;
}

function leave(parts: readonly RawField[], { where }: Piece, places: Places): BlobMessage[] {
  return parts.map(({ value, origin }) => {
    const message = create(BlobProto);
    places.set(message, { bytes: value, origin, where });
    return message;
  });
}

/**
 * Writes weights in the present form of the format, or HDF5 where the path ends in `.h5`, the way Caffe does. The file
 * appears when it is complete.
 * @throws {ShapeError} when a blob's numbers do not fit its shape
 */
export async function writeCaffemodel(path: string, model: CaffeModel): Promise<void> {
  await (isHdf5(path) ? writeCaffemodelHdf5(path, model) : writePieces(path, encodeCaffemodel(model)));
}

/** The same in memory, in pieces that follow each other; numbers are not copied. */
export function encodeCaffemodel(model: CaffeModel): Uint8Array[] {
  const net = create(NetParameter, { ...model.definition, name: model.name, layer: [] });
  const pieces = [encodeMessage(NetParameter, net)];
  for (const layer of model.layers) pieces.push(...nest(NET.layer, encodeLayer(layer)));
  const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (size > 2 ** 31 - 1) throw new FormatError(`${model.name}: a caffemodel holds at most 2 GiB, got ${size} bytes`);
  return pieces;
}

function encodeLayer({ name, type, blobs, definition }: LayerWeights): Uint8Array[] {
  const message = create(LayerParameter, { ...definition, name, type, blobs: [] });
  const home = LayerParameter.fields.blobs.id;
  blobs.forEach((blob, index) => checkBlob(blob, `${name}, blob ${index}`));
  return [
    encodeMessage(LayerParameter, message, ({ id }) => id < home),
    ...blobs.flatMap((blob) => nest(home, encodeBlob(blob))),
    encodeMessage(LayerParameter, message, ({ id }) => id > home),
  ];
}
