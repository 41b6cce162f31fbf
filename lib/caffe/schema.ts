/**
 * The messages of Caffe's files. Field names and numbers are those of the format; defaults are what a reader assumes
 * where a file says nothing.
 */
import type { Message } from '../protobuf/schema.js';
import type * as blob from './schema/blob.js';
import type * as layer from './schema/layer.js';
import type * as legacy from './schema/legacy.js';
import type * as net from './schema/net.js';

export * from './schema/blob.js';
export * from './schema/data.js';
export * from './schema/layer.js';
export * from './schema/legacy.js';
export * from './schema/loss.js';
export * from './schema/net.js';
export * from './schema/pointwise.js';
export * from './schema/window.js';
export { create, filled } from '../protobuf/schema.js';
export type { EnumType, Field, Filled, Message, MessageType, Scalar } from '../protobuf/schema.js';

/** A net as Caffe's NetParameter says it. */
export type Net = Message<typeof net.NetParameter>;
/** A layer as Caffe's LayerParameter says it. */
export type Layer = Message<typeof layer.LayerParameter>;
export type V1Layer = Message<typeof legacy.V1LayerParameter>;
export type V0Layer = Message<typeof legacy.V0LayerParameter>;
export type State = Message<typeof layer.NetState>;
export type StateRule = Message<typeof layer.NetStateRule>;
export type Param = Message<typeof layer.ParamSpec>;
/** First values as Caffe's FillerParameter says them. */
export type Filler = Message<typeof blob.FillerParameter>;
/** A solver as Caffe's SolverParameter says it. */
export type Solver = Message<typeof net.SolverParameter>;
export type DatumMessage = Message<typeof blob.Datum>;
