import type { FastifyInstance } from 'fastify';
import type { Metrics } from './metrics.js';
import type { Models } from './models.js';
import { Busy } from './replies.js';
import type { ServedModel } from './served-model.js';

/** What the routes share. */
export interface Context {
  readonly models: Models;
  readonly metrics: Metrics;
  /** Requests that a model answers at a time; more are turned away. */
  readonly queue: number;
  /** Milliseconds in which an accepted request is answered. */
  readonly timeout: number;
  /** Whether no more requests are wanted. */
  readonly draining: () => boolean;
}

/** Adds routes to a server. */
export type Routes = (app: FastifyInstance, context: Context) => void;

/** Parameters of routes for one model. */
export interface ModelRoute {
  readonly Params: { readonly model: string; readonly version?: string };
}

const MODEL = { model: { type: 'string', description: 'Name of a model' } } as const;
const VERSION = { version: { type: 'string', description: 'A version of it; default: the newest' } } as const;

export const MODEL_PARAMS = { type: 'object', properties: MODEL } as const;

/** The paths of something of a model, and of one of its versions: `/versions/VERSION` behind the model's name. */
export function ofModel(what = ''): readonly { readonly url: string; readonly params: object }[] {
  return [
    { url: `/v2/models/:model${what}`, params: MODEL_PARAMS },
    {
      url: `/v2/models/:model/versions/:version${what}`,
      params: { type: 'object', properties: { ...MODEL, ...VERSION } },
    },
  ];
}

/** Why a model takes no request now, known before its body is read: it is not there, or has all that it may have. */
export function refusal(
  { models, metrics, queue }: Context,
  { model, version }: ModelRoute['Params'],
): Error | undefined {
  try {
    if (models.get(model, version).users < queue) return undefined;
  } catch (error) {
    return error as Error;
  }
  metrics.rejected.inc({ model });
  return new Busy(`model ${model}: ${queue} requests are waiting; try again later`);
}

/** Accepts a request, which from then on is answered. @throws {UnknownModel | NotLoaded | Busy} */
export async function accept<T>(
  context: Context,
  params: ModelRoute['Params'],
  work: (model: ServedModel) => Promise<T>,
): Promise<T> {
  const refused = refusal(context, params);
  if (refused) throw refused;
  return context.models.use(params.model, params.version, work);
}
