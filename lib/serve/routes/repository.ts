import { MODEL_PARAMS, type ModelRoute, type Routes } from '../context.js';

/** Lists, loads (anew) and unloads models: the protocol's extension of that name. Requests under way are not disturbed. */
export const repository: Routes = (app, { models }) => {
  const state = (name: string): object => {
    const ready = models.isReady(name);
    return { name, state: ready ? 'READY' : 'UNAVAILABLE', reason: models.reason(name) };
  };
  app.post<{ Body: { ready?: boolean } | undefined }>(
    '/v2/repository/index',
    { schema: { tags: ['repository'], summary: 'The models and their states' } },
    ({ body }) => models.names.filter((name) => !body?.ready || models.isReady(name)).map(state),
  );
  const params = { tags: ['repository'], params: MODEL_PARAMS };
  app.post<ModelRoute>(
    '/v2/repository/models/:model/load',
    { schema: { ...params, summary: 'Loads a model, anew where it is loaded' } },
    async ({ params: { model } }) => {
      await models.load(model);
      return {};
    },
  );
  app.post<ModelRoute>(
    '/v2/repository/models/:model/unload',
    { schema: { ...params, summary: 'Unloads a model once its requests are answered' } },
    async ({ params: { model } }) => {
      await models.unload(model);
      return {};
    },
  );
};
