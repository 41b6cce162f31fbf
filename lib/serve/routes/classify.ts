import type { Multipart, MultipartFile } from '@fastify/multipart';
import multipart from '@fastify/multipart';
import { CortadoError, FormatError, UsageError } from '../../errors.js';
import type { Classifier, Prediction } from '../../tasks/index.js';
import { accept, MODEL_PARAMS, refusal, type ModelRoute, type Routes } from '../context.js';
import { signalOf } from '../replies.js';

interface ClassifyRoute extends ModelRoute {
  readonly Querystring: { readonly top: number };
  readonly Body: Buffer | undefined;
}

/** What is said of one of several pictures. */
interface Told {
  readonly name: string;
  readonly predictions?: readonly Prediction[];
  readonly error?: string;
}

/** Files of one upload. */
const MOST_FILES = 64;
const MOST_NAMED = 1000;

/** Pictures in, names of classes out: a picture as the body, or several as a form. */
export const classify: Routes = (app, context) => {
  app.removeAllContentTypeParsers();
  app.register(multipart, { limits: { files: MOST_FILES, fileSize: app.initialConfig.bodyLimit, fields: 0 } });
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.post<ClassifyRoute>(
    '/v2/models/:model/classify',
    {
      schema: {
        tags: ['pictures'],
        summary: 'What is on pictures',
        description: 'One picture as the body, of any type of picture; or several as files of a form.',
        consumes: ['image/*', 'multipart/form-data'],
        params: MODEL_PARAMS,
        querystring: {
          type: 'object',
          properties: {
            top: { type: 'integer', minimum: 1, maximum: MOST_NAMED, default: 5, description: 'Classes to name' },
          },
        },
      },
      onRequest: ({ params }, _reply, done) => done(refusal(context, params.model)),
    },
    async (request, reply) => {
      const { model: name } = request.params;
      const options = { top: request.query.top, signal: signalOf(reply, context.timeout) };
      const files = request.isMultipart() ? await readFiles(request.files()) : undefined;
      if (!files && !request.body?.length) throw new FormatError('the body: expected a picture, got nothing');
      return accept(context, name, async (model) => {
        const judge = model.classify;
        if (!judge) throw new UsageError(`model ${name}: expected a net that tells classes of pictures`);
        if (!files) return { model_name: name, predictions: await judge(request.body!, options) };
        return { model_name: name, pictures: await Promise.all(files.map((file) => tellOf(judge, file, options))) };
      });
    },
  );
};

interface File {
  readonly name: string;
  readonly bytes: Buffer;
}

async function readFiles(parts: AsyncIterable<MultipartFile | Multipart>): Promise<File[]> {
  const files: File[] = [];
  for await (const part of parts) {
    if (part.type === 'file') files.push({ name: part.filename, bytes: await part.toBuffer() });
  }
  if (files.length === 0) throw new FormatError('the body: expected files of a form, got none');
  return files;
}

/** A damaged picture is told of, and the others are answered. */
async function tellOf(
  judge: Classifier,
  { name, bytes }: File,
  options: { top: number; signal: AbortSignal },
): Promise<Told> {
  try {
    return { name, predictions: await judge(bytes, options) };
  } catch (error) {
    if (error instanceof CortadoError && error.code === 'FORMAT') return { name, error: error.message };
    throw error;
  }
}
