import bearerAuth from '@fastify/bearer-auth';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import fastify, { LogController, type FastifyInstance } from 'fastify';
import { UsageError } from '../errors.js';
import type { Context, Routes } from './context.js';
import { Metrics } from './metrics.js';
import { Models } from './models.js';
import { tell } from './replies.js';
import { health } from './routes/health.js';
import { infer } from './routes/infer.js';
import { metadata } from './routes/metadata.js';
import { pictures } from './routes/pictures.js';
import { repository } from './routes/repository.js';
import type { ModelSettings } from './served-model.js';

export interface ServerOptions extends Omit<ModelSettings, 'observe'> {
  /**
   * Names of models, and what `loadClassifier` would open; or a folder with a folder for each version, which is called by its
   * number.
   */
  readonly models: Readonly<Record<string, string>>;
  /** Requests that one model answers at a time; more get 503 with Retry-After. Default 256. */
  readonly queue?: number;
  /** Milliseconds in which an accepted request is answered, else 503. Default 30 000. */
  readonly timeout?: number;
  /** Milliseconds in which a client sends its request. Default 60 000. */
  readonly requestTimeout?: number;
  /** Bytes of a request. Default 64 MiB. */
  readonly bodyLimit?: number;
  /** What clients send as `Authorization: Bearer …`, except to the probes and the documentation. Default: no one needs one. */
  readonly token?: string;
  /** Where lines of JSON are logged, and from which level on. Default: nowhere. */
  readonly log?: { readonly stream: NodeJS.WritableStream; readonly level: string };
  /** What the server says its version is. */
  readonly version?: string;
}

/** A server of models over HTTP. */
export interface Server {
  readonly app: FastifyInstance;
  readonly models: Models;
  /** Loads every model. @throws what opening them throws */
  load(): Promise<void>;
  /**
   * Takes no more requests, answers those that it has, and releases the models. After `milliseconds` connections are cut.
   * Returns how many requests were not answered by then. May be called twice.
   */
  drain(milliseconds: number): Promise<number>;
}

/**
 * Makes a server that is not listening yet: `await server.load(); await server.app.listen({ port: 8080 })`.
 * @throws {UsageError}
 */
export async function createServer(options: ServerOptions): Promise<Server> {
  const sources = new Map(Object.entries(options.models));
  if (sources.size === 0) throw new UsageError('models: expected at least one');
  let draining = false;
  const metrics: Metrics = new Metrics(() => models.names.map((name) => [name, models.users(name)] as const));
  const models: Models = new Models(sources, (name) => ({ ...settingsOf(options), observe: observer(metrics, name) }));
  const context: Context = {
    ...{ models, metrics, queue: options.queue ?? 256, timeout: options.timeout ?? 30_000 },
    draining: () => draining,
  };
  const requestTimeout = options.requestTimeout ?? 60_000;
  const app = fastify({
    bodyLimit: options.bodyLimit ?? 2 ** 26,
    requestTimeout,
    // Node takes the longer of the two for the whole request.
    http: { headersTimeout: requestTimeout, connectionsCheckingInterval: Math.min(1000, requestTimeout) },
    forceCloseConnections: 'idle',
    // A line of our own for each request, below.
    logController: new LogController({ disableRequestLogging: true }),
    logger: options.log ? { level: options.log.level, stream: options.log.stream } : false,
  });
  app.setErrorHandler(tell);
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({ error: `no such path: ${request.method} ${request.url}` }),
  );
  observe(app, metrics, () => draining);
  await document(app, options.version);
  health(app, context);
  const guarded = [metadata(options.version ?? ''), infer, pictures, repository, exposition];
  for (const routes of guarded) await app.register((scope) => guard(scope, options.token, routes, context));
  const drain = async (milliseconds: number): Promise<number> => {
    draining = true;
    let left = 0;
    const cut = setTimeout(() => {
      left = models.names.reduce((sum, name) => sum + models.users(name), 0);
      app.server.closeAllConnections();
    }, milliseconds);
    await app.close();
    clearTimeout(cut);
    await models.unloadAll();
    return left;
  };
  const load = async (): Promise<void> => {
    await Promise.all(models.names.map((name) => models.load(name)));
  };
  return { app, models, load, drain };
}

function settingsOf({ batch, latency, maxPixels, device, threads }: ServerOptions): ModelSettings {
  const given = Object.entries({ batch, latency, maxPixels, device, threads }).filter(
    ([, value]) => value !== undefined,
  );
  return Object.fromEntries(given);
}

function observer(metrics: Metrics, model: string): ModelSettings['observe'] & {} {
  return (rows, seconds) => {
    metrics.rows.observe({ model }, rows);
    metrics.runs.observe({ model }, seconds);
  };
}

/** One line and one count for each request. */
function observe(app: FastifyInstance, metrics: Metrics, draining: () => boolean): void {
  app.addHook('onSend', async (_request, reply) => {
    // A client that is told so does not send its next request to a server that is about to go.
    if (draining()) void reply.header('connection', 'close');
  });
  app.addHook('onResponse', async (request, reply) => {
    const { statusCode: status, elapsedTime: milliseconds } = reply;
    const route = request.routeOptions.url ?? 'none';
    metrics.requests.observe({ route, status }, milliseconds / 1000);
    request.log.info({ method: request.method, url: request.url, status, milliseconds }, 'answered');
  });
}

async function document(app: FastifyInstance, version = ''): Promise<void> {
  const info = {
    title: 'Cortado',
    description: 'Models over HTTP by the Open Inference Protocol (v2), and names of what is on pictures.',
    version,
  };
  const securitySchemes = { token: { type: 'http', scheme: 'bearer' } } as const;
  await app.register(swagger, { openapi: { openapi: '3.1.0', info, components: { securitySchemes } } });
  await app.register(swaggerUi, { routePrefix: '/docs' });
}

/** Adds routes that want the token, if there is one. */
async function guard(
  scope: FastifyInstance,
  token: string | undefined,
  routes: Routes,
  context: Context,
): Promise<void> {
  if (token !== undefined) {
    // It compares in constant time.
    await scope.register(bearerAuth, { keys: new Set([token]), errorResponse: ({ message }) => ({ error: message }) });
  }
  routes(scope, context);
}

const exposition: Routes = (app, { metrics: { registry } }) => {
  app.get('/metrics', { schema: { tags: ['metrics'], summary: 'Counts for Prometheus' } }, async (_request, reply) =>
    reply.type(registry.contentType).send(await registry.metrics()),
  );
};
