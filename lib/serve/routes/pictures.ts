import type { Multipart, MultipartFile } from '@fastify/multipart';
import multipart from '@fastify/multipart';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CortadoError, FormatError, UsageError } from '../../errors.js';
import type { Classifier } from '../../tasks/index.js';
import { accept, ofModel, refusal, type Context, type ModelRoute, type Routes } from '../context.js';
import { signalOf } from '../replies.js';

interface PictureRoute extends ModelRoute {
  readonly Querystring: { readonly top: number; readonly layer?: string };
  readonly Body: Buffer | undefined;
}

/** What is asked of one picture: fields of the answer. */
type Ask = (
  judge: Classifier,
  picture: Buffer,
  query: PictureRoute['Querystring'],
  signal: AbortSignal,
) => Promise<object>;

/** Files of one upload. */
const MOST_FILES = 64;
const MOST_NAMED = 1000;

/** Pictures in, names of classes or features out: a picture as the body, or several as a form. */
export const pictures: Routes = (app, context) => {
  app.removeAllContentTypeParsers();
  app.register(multipart, { limits: { files: MOST_FILES, fileSize: app.initialConfig.bodyLimit, fields: 0 } });
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  const route = (what: string, summary: string, query: object, ask: Ask): void => {
    for (const { url, params } of ofModel(what))
      app.post<PictureRoute>(
        url,
        {
          schema: {
            tags: ['pictures'],
            summary,
            description: 'One picture as the body, of any type of picture; or several as files of a form.',
            consumes: ['image/*', 'multipart/form-data'],
            params,
            querystring: { type: 'object', properties: query },
          },
          onRequest: (request, _reply, done) => done(refusal(context, request.params)),
        },
        (request, reply) => answer(context, request, reply, ask),
      );
  };
  const top = { type: 'integer', minimum: 1, maximum: MOST_NAMED, default: 5, description: 'Classes to name' };
  route('/classify', 'What is on pictures', { top }, async (judge, picture, query, signal) => ({
    predictions: await judge(picture, { top: query.top, signal }),
  }));
  const layer = { type: 'string', description: 'Name of a value of the net; default: what its last layer reads' };
  route('/embed', 'Features of pictures', { layer }, async (judge, picture, query, signal) => {
    const { data, shape } = await judge.embed(picture, query.layer === undefined ? { signal } : { ...query, signal });
    return { embedding: { shape, data: Array.from(data) } };
  });
};

async function answer(
  context: Context,
  request: FastifyRequest<PictureRoute>,
  reply: FastifyReply,
  ask: Ask,
): Promise<object> {
  const { params, query, body } = request;
  const signal = signalOf(reply, context.timeout);
  const files = request.isMultipart() ? await readFiles(request.files()) : undefined;
  if (!files && !body?.length) throw new FormatError('the body: expected a picture, got nothing');
  return accept(context, params, async ({ classify: judge, version }) => {
    if (!judge) throw new UsageError(`model ${params.model}: expected a net that tells classes of pictures`);
    const of = (picture: Buffer): Promise<object> => ask(judge, picture, query, signal);
    const told = files ? { pictures: await Promise.all(files.map((file) => tellOf(file, of))) } : await of(body!);
    return { model_name: params.model, model_version: version, ...told };
  });
}

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
async function tellOf({ name, bytes }: File, of: (picture: Buffer) => Promise<object>): Promise<object> {
  try {
    return { name, ...(await of(bytes)) };
  } catch (error) {
    if (error instanceof CortadoError && error.code === 'FORMAT') return { name, error: error.message };
    throw error;
  }
}
