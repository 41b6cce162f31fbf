import { MODEL_PARAMS, type ModelRoute, type Routes } from '../context.js';

export const EXTENSIONS = ['binary_tensor_data', 'model_repository', 'classification_of_pictures'] as const;

/** What the server and its models are. */
export const metadata =
  (version: string): Routes =>
  (app, { models }) => {
    app.get('/v2', { schema: { tags: ['metadata'], summary: 'Name, version and extensions of the server' } }, () => ({
      ...{ name: 'cortado', version, extensions: EXTENSIONS },
    }));
    app.get<ModelRoute>(
      '/v2/models/:model',
      { schema: { tags: ['metadata'], summary: 'Inputs and outputs of a model', params: MODEL_PARAMS } },
      ({ params: { model: name } }) => {
        const { inputs, outputs } = models.get(name).signature;
        return { name, platform: 'cortado', inputs, outputs };
      },
    );
  };
