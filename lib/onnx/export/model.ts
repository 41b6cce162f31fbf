import { FormatError } from '../../errors.js';
import type { RawTensor } from '../../formats/elements.js';
import { create } from '../../protobuf/schema.js';
import { encodeMessage, nest } from '../../protobuf/wire.js';
import {
  ATTRIBUTE,
  AttributeProto,
  GraphProto,
  ModelProto,
  OperatorSetIdProto,
  TensorProto,
  ValueInfoProto,
  type OnnxAttribute,
  type OnnxNode,
  type OnnxValue,
} from '../schema.js';
import { codeOf } from '../tensor.js';

/** A model to be written; elements of initializers stay where they are. */
export interface OnnxContent {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly initializers: ReadonlyMap<string, RawTensor>;
}

/** Version 17 is in every runtime of the last years, and all that we write was settled by then. */
const OPSET = 17;
const IR_VERSION = 8;
const MOST_BYTES = 2 ** 31 - 1;

export const float = (name: string, f: number): OnnxAttribute =>
  create(AttributeProto, { name, f, type: ATTRIBUTE.FLOAT });

export const int = (name: string, i: number): OnnxAttribute => create(AttributeProto, { name, i, type: ATTRIBUTE.INT });

export const ints = (name: string, list: readonly number[]): OnnxAttribute =>
  create(AttributeProto, { name, ints: [...list], type: ATTRIBUTE.INTS });

/** A float32 input or output; a text stands for an open extent. */
export function valueInfo(name: string, extents: readonly (number | string)[]): OnnxValue {
  const dim = extents.map((each) => (typeof each === 'number' ? { dim_value: each } : { dim_param: each }));
  return create(ValueInfoProto, { name, type: { tensor_type: { elem_type: codeOf('float32'), shape: { dim } } } });
}

/** The file in pieces that follow each other; elements are not copied. @throws {FormatError} beyond the 2 GiB of the format */
export function encodeModel({ name, nodes, inputs, outputs, initializers }: OnnxContent): Uint8Array[] {
  const graph = create(GraphProto, { name, node: [...nodes], input: [...inputs], output: [...outputs] });
  const weights = [...initializers].flatMap(([key, tensor]) =>
    nest(GraphProto.fields.initializer.id, encodeTensor(key, tensor)),
  );
  const model = create(ModelProto, {
    ir_version: IR_VERSION,
    producer_name: 'cortado',
    opset_import: [create(OperatorSetIdProto, { domain: '', version: OPSET })],
  });
  const pieces = [
    encodeMessage(ModelProto, model),
    ...nest(ModelProto.fields.graph.id, [encodeMessage(GraphProto, graph), ...weights]),
  ];
  const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (size > MOST_BYTES) throw new FormatError(`${name}: an ONNX file holds at most 2 GiB, got ${size} bytes`);
  return pieces;
}

function encodeTensor(name: string, { dtype, shape, bytes }: RawTensor): Uint8Array[] {
  const head = create(TensorProto, { name, dims: [...shape], data_type: codeOf(dtype) });
  return [encodeMessage(TensorProto, head), ...nest(TensorProto.fields.raw_data.id, [bytes])];
}
