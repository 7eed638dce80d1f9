/**
 * What becomes of a dead letter at the saga's object whose message it was: whether it still waits for what the letter
 * carried, and the sending anew. From the saga as it is now, never from a stored message (decision 0051). Called by the
 * shells (`saga-object.ts`), over the host.
 */
import type { Scope } from '../../src/domain/ids.ts';
import type { Redrivable, RedriveResult, Standing } from '../../src/domain/redrive-rpc.ts';
import { type SagaData, stillAwaits } from '../../src/domain/saga/record.ts';
import type { SagaHost } from './saga-host.ts';

export function standing<State extends string, Data extends SagaData, Name extends string>(
  host: SagaHost<State, Data, Name>,
  scope: Scope,
  item: Redrivable,
): Standing {
  const record = host.load();
  if (record === 'expired') return { kind: 'known', state: 'expired', awaits: false };
  if (record === null || host.owned(scope) === null) return { kind: 'unknown_owner' };
  return { kind: 'known', state: record.saga.state, awaits: stillAwaits(record, item) };
}

/**
 * Sends again what is still waited for. One commit for the effects; a command whose time is over is given up instead, as
 * its alarm would have done.
 */
export function redrive<State extends string, Data extends SagaData, Name extends string>(
  host: SagaHost<State, Data, Name>,
  scope: Scope,
  items: readonly Redrivable[],
): RedriveResult {
  const record = host.load();
  if (record === 'expired') {
    return { kind: 'redriven', state: 'expired', outcomes: items.map(() => 'no_longer_awaited') };
  }
  if (record === null || host.owned(scope) === null) return { kind: 'unknown_owner' };
  const awaited = items.filter((item) => stillAwaits(record, item));
  const effectIds = new Set(awaited.flatMap((item) => (item.kind === 'effect' ? [item.effectId] : [])));
  host.take([...effectIds].map((effectId) => ({ kind: 'redrive', effectId })));
  if (awaited.some((item) => item.kind === 'publication')) host.publishAgain();
  const now = host.requireRecord();
  const isSent = (item: Redrivable) => awaited.includes(item) && stillAwaits(now, item);
  const outcomes = items.map((item) => (isSent(item) ? ('sent_again' as const) : ('no_longer_awaited' as const)));
  return { kind: 'redriven', state: now.saga.state, outcomes };
}
