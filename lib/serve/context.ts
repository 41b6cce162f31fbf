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
  readonly Params: { readonly model: string };
}

export const MODEL_PARAMS = {
  type: 'object',
  properties: { model: { type: 'string', description: 'Name of a model' } },
} as const;

/** Why a model takes no request now, known before its body is read: it is not there, or has all that it may have. */
export function refusal({ models, metrics, queue }: Context, name: string): Error | undefined {
  try {
    if (models.get(name).users < queue) return undefined;
  } catch (error) {
    return error as Error;
  }
  metrics.rejected.inc({ model: name });
  return new Busy(`model ${name}: ${queue} requests are waiting; try again later`);
}

/** Accepts a request, which from then on is answered. @throws {UnknownModel | NotLoaded | Busy} */
export async function accept<T>(context: Context, name: string, work: (model: ServedModel) => Promise<T>): Promise<T> {
  const refused = refusal(context, name);
  if (refused) throw refused;
  return context.models.use(name, work);
}
