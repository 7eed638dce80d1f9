/**
 * A payment or refund as it is read: from its owner; once that is empty, from the record, for as long as that has it. With
 * `?include=cost`, and what it has cost, while its owner knows; without it the body is, byte for byte, what its owner answers.
 * Called by the routes that read one.
 */
import { costView } from '../domain/cost/view.ts';
import type { ReadCostResult, ReadSagaResult, SagaRpc } from '../domain/saga-rpc.ts';
import { recordedBody } from '../read-model/recorded.ts';
import type { AppContext } from './context.ts';
import { lacks } from './middleware/authorization.ts';
import { callObject, type Reach } from './objects.ts';
import { problem } from './problem.ts';

/** 403 for who may not see its cost, 404 for another's, 410 once the record has been archived. */
export async function readEntity<Rpc extends SagaRpc>(
  c: AppContext,
  table: 'payments' | 'refunds',
  id: string,
  saga: Reach<Rpc>,
  include: 'cost' | undefined,
): Promise<Response> {
  // What the platform is paid for it is for operators.
  if (include === 'cost' && !c.get('caller').roles.has('ops')) return lacks(c, ['ops'], ['ops']);
  const reach = saga as Reach<SagaRpc>;
  const scope = c.get('scope');
  const read = await callObject(
    reach,
    (stub): Promise<ReadCostResult | ReadSagaResult> => (include === 'cost' ? stub.readCost(scope) : stub.read(scope)),
  );
  if (read.kind === 'not_found') return problem(c, 'not_found');
  c.set('entityId', id);
  if (read.kind !== 'found') {
    const body = await recordedBody(c.env.DB, table, scope, id);
    return body === null ? problem(c, 'record_archived') : answer(c, body);
  }
  if (!('spent' in read)) return answer(c, read.body);
  const entity = JSON.parse(read.body) as Record<string, unknown>;
  return answer(c, JSON.stringify({ ...entity, cost: costView(read.spent, read.toCome) }));
}

function answer(c: AppContext, body: string): Response {
  return c.body(body, 200, { 'Content-Type': 'application/json' });
}
