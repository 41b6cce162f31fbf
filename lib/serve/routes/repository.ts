import { MODEL_PARAMS, type ModelRoute, type Routes } from '../context.js';

/** Lists, loads (anew) and unloads models: the protocol's extension of that name. Requests under way are not disturbed. */
export const repository: Routes = (app, { models }) => {
  const states = (name: string): { readonly state: string }[] =>
    models.versions(name).map((version) => {
      const state = models.isReady(name, version) ? 'READY' : 'UNAVAILABLE';
      return { name, version, state, reason: models.reason(name, version) };
    });
  app.post<{ Body: { ready?: boolean } | undefined }>(
    '/v2/repository/index',
    { schema: { tags: ['repository'], summary: 'The models and their states' } },
    ({ body }) => models.names.flatMap(states).filter(({ state }) => !body?.ready || state === 'READY'),
  );
  const params = { tags: ['repository'], params: MODEL_PARAMS };
  app.post<ModelRoute>(
    '/v2/repository/models/:model/load',
    { schema: { ...params, summary: 'Loads the versions of a model, anew where they are loaded' } },
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
