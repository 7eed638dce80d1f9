/**
 * The way from a message back to its saga: reports outcomes to the object that an id leads to.
 * A report that finds no saga is a message of another system or a bug, and never silently dropped.
 */
import type { Outcome } from '../src/domain/saga/outcome.ts';
import { sagaStub } from '../src/stubs.ts';
import { ACK, type Verdict } from './retry-policy.ts';

const UNKNOWN_SAGA: Verdict = { kind: 'dead', reason: 'no saga has this id' };

/** Reports outcomes to one saga. What the call throws is the caller's: the message is tried again. */
export async function deliverOutcomes(env: Env, entityId: string, outcomes: readonly Outcome[]): Promise<Verdict> {
  const saga = sagaStub(env, entityId);
  if (saga === null) return UNKNOWN_SAGA;
  const { kind } = await saga.deliver(outcomes);
  return kind === 'delivered' ? ACK : UNKNOWN_SAGA;
}
