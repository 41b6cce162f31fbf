import { ofModel, type ModelRoute, type Routes } from '../context.js';

/** Probes: whether the server lives, whether it and each model are ready. Open to all, as orchestrators ask them. */
export const health: Routes = (app, { models, draining }) => {
  const ready = (): boolean => !draining() && models.names.every((name) => models.isReady(name));
  app.get('/v2/health/live', { schema: { tags: ['health'], summary: 'Whether the server runs' } }, () => ({
    live: true,
  }));
  app.get(
    '/v2/health/ready',
    { schema: { tags: ['health'], summary: 'Whether every model answers' } },
    (_request, reply) => reply.code(ready() ? 200 : 503).send({ live: true, ready: ready() }),
  );
  for (const { url, params } of ofModel('/ready'))
    app.get<ModelRoute>(
      url,
      { schema: { tags: ['health'], summary: 'Whether a model answers', params } },
      ({ params: { model: name, version } }, reply) => {
        const loaded = models.isReady(name, version) && !draining();
        return reply.code(loaded ? 200 : 503).send({ name, ready: loaded });
      },
    );
};
