/**
 * The messages of ONNX files that a network needs: names and numbers of onnx.proto. Graphs within attributes (If, Loop) are
 * passed over; a node that has some is not supported anyway.
 */
import { clamped, many, message, one, packed, type Message } from '../protobuf/schema.js';

export const OperatorSetIdProto = message('OperatorSetIdProto', { domain: one('string', 1), version: one('int64', 2) });

export const StringStringEntryProto = message('StringStringEntryProto', {
  key: one('string', 1),
  value: one('string', 2),
});

export const TensorProto = message('TensorProto', {
  dims: packed('int64', 1),
  data_type: one('int32', 2, 0),
  float_data: packed('float', 4),
  int32_data: packed('int32', 5),
  int64_data: clamped(packed('int64', 7)),
  name: one('string', 8, ''),
  raw_data: one('bytes', 9),
  double_data: packed('double', 10),
  uint64_data: clamped(packed('int64', 11)),
  external_data: many(StringStringEntryProto, 13),
  /** 1: the elements lie in a file beside this one. */
  data_location: one('int32', 14, 0),
});

const Dimension = message('Dimension', { dim_value: one('int64', 1), dim_param: one('string', 2) });

export const TensorShapeProto = message('TensorShapeProto', { dim: many(Dimension, 1) });

const TensorType = message('TensorType', { elem_type: one('int32', 1, 0), shape: one(TensorShapeProto, 2) });

export const TypeProto = message('TypeProto', { tensor_type: one(TensorType, 1) });

export const ValueInfoProto = message('ValueInfoProto', { name: one('string', 1, ''), type: one(TypeProto, 2) });

export const AttributeProto = message('AttributeProto', {
  name: one('string', 1, ''),
  f: one('float', 2),
  i: clamped(one('int64', 3)),
  s: one('bytes', 4),
  t: one(TensorProto, 5),
  floats: many('float', 7),
  ints: clamped(many('int64', 8)),
  strings: many('bytes', 9),
  type: one('int32', 20, 0),
  ref_attr_name: one('string', 21),
});

/** AttributeProto.AttributeType. */
export const ATTRIBUTE = { FLOAT: 1, INT: 2, STRING: 3, TENSOR: 4, FLOATS: 6, INTS: 7 } as const;

export const NodeProto = message('NodeProto', {
  input: many('string', 1),
  output: many('string', 2),
  name: one('string', 3, ''),
  op_type: one('string', 4, ''),
  attribute: many(AttributeProto, 5),
  domain: one('string', 7, ''),
});

/** Without the initializers' elements: those are read by their place in the file. */
export const GraphProto = message('GraphProto', {
  node: many(NodeProto, 1),
  name: one('string', 2, ''),
  initializer: many(TensorProto, 5),
  input: many(ValueInfoProto, 11),
  output: many(ValueInfoProto, 12),
});

export const ModelProto = message('ModelProto', {
  ir_version: one('int64', 1),
  producer_name: one('string', 2, ''),
  producer_version: one('string', 3, ''),
  graph: one(GraphProto, 7),
  opset_import: many(OperatorSetIdProto, 8),
});

export type OnnxModel = Message<typeof ModelProto>;
export type OnnxGraph = Message<typeof GraphProto>;
export type OnnxNode = Message<typeof NodeProto>;
export type OnnxAttribute = Message<typeof AttributeProto>;
export type OnnxTensor = Message<typeof TensorProto>;
export type OnnxValue = Message<typeof ValueInfoProto>;
