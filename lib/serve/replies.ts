import type { FastifyReply, FastifyRequest } from 'fastify';
import { CortadoError, type ErrorCode } from '../errors.js';
import { NotLoaded, UnknownModel } from './models.js';

/** A request that could be answered later: 503 with Retry-After. */
export class Busy extends Error {}

const STATUS: Partial<Record<ErrorCode, number>> = {
  SHAPE: 400,
  GRAPH: 400,
  FORMAT: 400,
  USAGE: 400,
  DISPOSED: 503,
  OUT_OF_MEMORY: 503,
};

/** Seconds after which a client that was turned away may try again. */
const RETRY_AFTER = 1;

/** Answers with what went wrong, as the protocol wants it: `{ "error": "…" }`. */
export function tell(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const status = statusOf(error);
  const message = error instanceof Error ? error.message : String(error);
  if (status >= 500) request.log.error({ err: error }, message);
  if (status === 503) void reply.header('retry-after', RETRY_AFTER);
  void reply.code(status).send({ error: message });
}

function statusOf(error: unknown): number {
  if (error instanceof UnknownModel) return 404;
  if (error instanceof NotLoaded || error instanceof Busy) return 503;
  if (error instanceof DOMException && error.name === 'TimeoutError') return 503;
  if (error instanceof CortadoError) return STATUS[error.code] ?? 500;
  if (error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number') return error.statusCode;
  return 500;
}

/** Aborted when the client has gone, or the time for its answer is over. */
export function signalOf(reply: FastifyReply, milliseconds: number): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort(new Error('the client has gone'));
  });
  return AbortSignal.any([gone.signal, AbortSignal.timeout(milliseconds)]);
}
