import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** From 1 ms to 16 s, each twice the one before. */
const SECONDS = Array.from({ length: 15 }, (_, i) => 2 ** i / 1000);

/** What a server counts, for Prometheus. */
export class Metrics {
  readonly registry = new Registry();
  readonly requests = new Histogram({
    name: 'cortado_request_seconds',
    help: 'Time from the request to the end of its answer',
    labelNames: ['route', 'status'] as const,
    buckets: SECONDS,
    registers: [this.registry],
  });
  readonly rejected = new Counter({
    name: 'cortado_rejected_total',
    help: 'Requests turned away because the queue was full',
    labelNames: ['model'] as const,
    registers: [this.registry],
  });
  readonly runs = new Histogram({
    name: 'cortado_run_seconds',
    help: 'Time of one run of a model',
    labelNames: ['model'] as const,
    buckets: SECONDS,
    registers: [this.registry],
  });
  readonly rows = new Histogram({
    name: 'cortado_run_rows',
    help: 'Rows of one run of a model: pictures that shared it',
    labelNames: ['model'] as const,
    buckets: [1, 2, 4, 8, 16, 32, 64, 128],
    registers: [this.registry],
  });

  constructor(pending: () => Iterable<readonly [model: string, requests: number]>) {
    collectDefaultMetrics({ register: this.registry });
    new Gauge({
      name: 'cortado_pending_requests',
      help: 'Requests that are being answered',
      labelNames: ['model'] as const,
      registers: [this.registry],
      collect() {
        for (const [model, requests] of pending()) this.set({ model }, requests);
      },
    });
  }
}
