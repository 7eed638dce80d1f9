/**
 * The Worker under the benchmark: the real one, and beside it, in the same process, what it is measured against: the floor, a bare
 * Worker that has a new Durable Object commit one row, and the sketch (sketch.ts). Never deployed: only bench/run.ts starts it.
 */
import { DurableObject } from 'cloudflare:workers';
import worker from '../src/index.ts';
import { postSketch, SKETCH_CONSUMERS, type SketchEnv } from './sketch.ts';

export * from '../src/index.ts';
export { SketchProvider, SketchSaga, SketchWallet } from './sketch.ts';

export class Floor extends DurableObject<Env> {
  commit(): number {
    this.ctx.storage.sql.exec('CREATE TABLE commits (sequence INTEGER PRIMARY KEY, body TEXT NOT NULL)');
    return this.ctx.storage.sql.exec('INSERT INTO commits VALUES (1, ?)', 'a row').rowsWritten;
  }
}

interface BenchEnv extends SketchEnv {
  readonly FLOOR: DurableObjectNamespace<Floor>;
}

export default {
  ...worker,
  fetch: async (request, env, ctx) => {
    switch (new URL(request.url).pathname) {
      case '/floor':
        await env.FLOOR.get(env.FLOOR.newUniqueId()).commit();
        return Response.json({ object: 'floor' }, { status: 201 });
      case '/sketch':
        return postSketch(request, env);
      default:
        return worker.fetch(request, env, ctx);
    }
  },
  queue: async (batch, env) => {
    const consume = SKETCH_CONSUMERS[batch.queue] ?? worker.queue;
    await consume(batch, env);
  },
} satisfies ExportedHandler<BenchEnv>;
