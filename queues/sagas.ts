/**
 * The way from a message back to its saga: reports outcomes and acknowledgements to the object that an id leads to.
 * A report that finds no saga is a message of another system or a bug, and never silently dropped.
 */
import { hexFromPublicId } from '../src/domain/ids.ts';
import type { Outcome } from '../src/domain/saga/outcome.ts';
import { ACK, type Verdict } from './retry-policy.ts';

const UNKNOWN_SAGA: Verdict = { kind: 'dead', reason: 'no saga has this payment id' };

/** The stub of the payment's object, or null for an id that this namespace did not mint. A fresh stub for every call. */
export function paymentSagaStub(env: Env, paymentId: string) {
  const hex = hexFromPublicId('pay_', paymentId);
  if (hex === null) return null;
  try {
    return env.PAYMENT_SAGA.get(env.PAYMENT_SAGA.idFromString(hex));
  } catch {
    // idFromString throws for the ids of other namespaces, and for nothing else: not ours, like a malformed one.
    return null;
  }
}

/** Reports outcomes to one payment's saga. What the call throws is the caller's: the message is tried again. */
export async function deliverOutcomes(env: Env, paymentId: string, outcomes: readonly Outcome[]): Promise<Verdict> {
  const saga = paymentSagaStub(env, paymentId);
  if (saga === null) return UNKNOWN_SAGA;
  const { kind } = await saga.deliver(outcomes);
  return kind === 'delivered' ? ACK : UNKNOWN_SAGA;
}
