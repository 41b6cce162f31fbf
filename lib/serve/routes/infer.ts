import type { FastifyReply, FastifyRequest } from 'fastify';
import { FormatError } from '../../errors.js';
import { accept, ofModel, refusal, type Context, type ModelRoute, type Routes } from '../context.js';
import { signalOf } from '../replies.js';
import { formatInfer, parseInfer } from '../tensors.js';

const LENGTH = 'inference-header-content-length';

interface InferRoute extends ModelRoute {
  readonly Body: Buffer | undefined;
}

/** Tensors in, tensors out. */
export const infer: Routes = (app, context) => {
  // JSON with bytes behind it is neither JSON nor anything else that a parser knows.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  for (const { url, params } of ofModel('/infer'))
    app.post<InferRoute>(
      url,
      {
        schema: {
          tags: ['inference'],
          summary: 'Outputs of a model for input tensors',
          description: `The Open Inference Protocol's request: JSON, or JSON of the length that ${LENGTH} says and the bytes of the tensors behind it.`,
          consumes: ['application/json', 'application/octet-stream'],
          params,
        },
        onRequest: (request, _reply, done) => done(refusal(context, request.params)),
      },
      (request, reply) => answer(context, request, reply),
    );
};

async function answer(
  context: Context,
  { headers, body: bytes = Buffer.alloc(0), params }: FastifyRequest<InferRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { id, inputs, outputs, binary } = parseInfer(bytes, headerLength(headers[LENGTH]));
  const names = outputs?.map((output) => output.name);
  const { version, tensors } = await accept(context, params, async (model) => ({
    version: model.version,
    tensors: await model.infer(inputs, names, signalOf(reply, context.timeout)),
  }));
  const wanted = outputs ?? Object.keys(tensors).map((output) => ({ name: output, binary }));
  const sent = wanted.map((output) => ({ ...output, tensor: tensors[output.name]! }));
  const { body, headerLength: written } = formatInfer({ name: params.model, version }, id, sent);
  if (written !== undefined) void reply.header(LENGTH, written);
  return reply.type(written === undefined ? 'application/json' : 'application/octet-stream').send(body);
}

function headerLength(value: string | string[] | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && /^\d+$/.test(value)) return Number(value);
  throw new FormatError(`${LENGTH}: expected a whole number, got "${String(value)}"`);
}
