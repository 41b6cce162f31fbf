import { ofModel, type ModelRoute, type Routes } from '../context.js';

export const EXTENSIONS = [
  'binary_tensor_data',
  'model_repository',
  'classification_of_pictures',
  'features_of_pictures',
] as const;

/** What the server and its models are. */
export const metadata =
  (version: string): Routes =>
  (app, { models }) => {
    app.get('/v2', { schema: { tags: ['metadata'], summary: 'Name, version and extensions of the server' } }, () => ({
      ...{ name: 'cortado', version, extensions: EXTENSIONS },
    }));
    for (const { url, params } of ofModel())
      app.get<ModelRoute>(
        url,
        { schema: { tags: ['metadata'], summary: 'Inputs and outputs of a model', params } },
        ({ params: { model: name, version } }) => {
          const { inputs, outputs } = models.get(name, version).signature;
          return { name, versions: models.versions(name), platform: 'cortado', inputs, outputs };
        },
      );
  };
