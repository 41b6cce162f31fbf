import { FormatError } from '../../errors.js';
import { accept, MODEL_PARAMS, refusal, type ModelRoute, type Routes } from '../context.js';
import { signalOf } from '../replies.js';
import { formatInfer, parseInfer } from '../tensors.js';

const LENGTH = 'inference-header-content-length';

/** Tensors in, tensors out. */
export const infer: Routes = (app, context) => {
  // JSON with bytes behind it is neither JSON nor anything else that a parser knows.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.post<ModelRoute & { Body: Buffer | undefined }>(
    '/v2/models/:model/infer',
    {
      schema: {
        tags: ['inference'],
        summary: 'Outputs of a model for input tensors',
        description: `The Open Inference Protocol's request: JSON, or JSON of the length that ${LENGTH} says and the bytes of the tensors behind it.`,
        consumes: ['application/json', 'application/octet-stream'],
        params: MODEL_PARAMS,
      },
      onRequest: ({ params }, _reply, done) => done(refusal(context, params.model)),
    },
    async (request, reply) => {
      const length = headerLength(request.headers[LENGTH]);
      const { id, inputs, outputs, binary } = parseInfer(request.body ?? Buffer.alloc(0), length);
      const { model: name } = request.params;
      const names = outputs?.map((output) => output.name);
      const tensors = await accept(context, name, (model) =>
        model.infer(inputs, names, signalOf(reply, context.timeout)),
      );
      const wanted = outputs ?? Object.keys(tensors).map((output) => ({ name: output, binary }));
      const sent = wanted.map((output) => ({ ...output, tensor: tensors[output.name]! }));
      const { body, headerLength: written } = formatInfer(name, id, sent);
      if (written !== undefined) void reply.header(LENGTH, written);
      return reply.type(written === undefined ? 'application/json' : 'application/octet-stream').send(body);
    },
  );
};

function headerLength(value: string | string[] | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && /^\d+$/.test(value)) return Number(value);
  throw new FormatError(`${LENGTH}: expected a whole number, got "${String(value)}"`);
}
