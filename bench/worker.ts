/**
 * The Worker under the benchmark: the real one, and beside it, in the same process, the floor that it is measured against:
 * a bare Worker that has a new Durable Object commit one row. Never deployed: only bench/run.ts starts it.
 */
import { DurableObject } from 'cloudflare:workers';
import worker from '../src/index.ts';

export * from '../src/index.ts';

export class Floor extends DurableObject<Env> {
  commit(): number {
    this.ctx.storage.sql.exec('CREATE TABLE commits (sequence INTEGER PRIMARY KEY, body TEXT NOT NULL)');
    return this.ctx.storage.sql.exec('INSERT INTO commits VALUES (1, ?)', 'a row').rowsWritten;
  }
}

interface FloorEnv extends Env {
  readonly FLOOR: DurableObjectNamespace<Floor>;
}

export default {
  ...worker,
  fetch: async (request, env, ctx) => {
    if (new URL(request.url).pathname !== '/floor') return worker.fetch(request, env, ctx);
    const { FLOOR: floor } = env as FloorEnv;
    await floor.get(floor.newUniqueId()).commit();
    return Response.json({ object: 'floor' }, { status: 201 });
  },
} satisfies ExportedHandler<Env>;
