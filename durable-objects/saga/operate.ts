/**
 * What a person, and the sweeper, may ask of a saga's object, whatever its kind. It decides nothing: which moves there are
 * is in the saga's table. Called by the shells (`saga-object.ts`), over the host.
 */
import type { Scope } from '../../src/domain/ids.ts';
import { ALARM_LATE_MS, ALARM_RINGING_MS } from '../../src/domain/limits.ts';
import { judgeMove } from '../../src/domain/saga/operator.ts';
import { operatorView } from '../../src/domain/saga/operator-view.ts';
import { isDue, type SagaData } from '../../src/domain/saga/record.ts';
import type { OperatorMove } from '../../src/domain/saga/table.ts';
import type { InspectResult, JudgeResult, MoveResult, PokeResult } from '../../src/domain/saga-rpc.ts';
import type { SagaHost } from './saga-host.ts';

type Host<State extends string, Data extends SagaData, Name extends string> = SagaHost<State, Data, Name>;

/** The saga as a person who must decide sees it. */
export function inspect<State extends string, Data extends SagaData, Name extends string>(
  host: Host<State, Data, Name>,
  scope: Scope,
): InspectResult {
  const record = host.owned(scope);
  if (record === null) return { kind: 'not_found' };
  const body = JSON.stringify(operatorView(host.kind, record, host.context(record.trace, scope)));
  return { kind: 'found', body, sequence: record.saga.sequence };
}

/** Whether a move would be made: asked before it is written into the audit log. */
export function judge<State extends string, Data extends SagaData, Name extends string>(
  host: Host<State, Data, Name>,
  scope: Scope,
  move: OperatorMove,
): JudgeResult {
  const record = host.owned(scope);
  if (record === null) return { kind: 'not_found' };
  return { kind: judgeMove(host.kind.table, record.saga, move, host.context(record.trace, scope)) };
}

/** Makes a move, and waits a little for what comes of it. The same move once more is answered, and not made again. */
export async function makeMove<State extends string, Data extends SagaData, Name extends string>(
  host: Host<State, Data, Name>,
  scope: Scope,
  move: OperatorMove,
  waitMs: number,
): Promise<MoveResult> {
  const { kind } = judge(host, scope, move);
  if (kind !== 'possible' && kind !== 'repeated') return { kind };
  if (kind === 'possible') host.take([{ kind: 'move', move }]);
  await host.terminalWithin(waitMs);
  const record = host.requireRecord();
  const waits = record.saga.pending.some(({ event }) => event?.event_type.startsWith('orchestrator.wallet.'));
  return {
    kind: kind === 'possible' ? 'moved' : 'repeated',
    entity: host.body().body,
    settled: record.terminalBody !== null && !waits,
  };
}

/**
 * Does what an alarm would, if something is due or no alarm is armed for it: a lost alarm is the one loss that an object
 * cannot mend by itself. `seenSequence`: up to where the record (D1) knows of it; what it has lost is published again.
 */
export async function poke<State extends string, Data extends SagaData, Name extends string>(
  host: Host<State, Data, Name>,
  storage: DurableObjectStorage,
  seenSequence: number,
): Promise<PokeResult> {
  const alarmAtMs = await storage.getAlarm();
  const before = host.load();
  if (before === null) return { kind: 'unknown_saga' };
  if (before === 'expired') return { kind: 'expired' };
  const nowMs = Date.now();
  const due = isDue(before, nowMs);
  // One that is only a little late is on its way: the platform may take a minute.
  const armed = alarmAtMs === null ? isRinging(before.alarmAtMs, nowMs) : alarmAtMs > nowMs - ALARM_LATE_MS;
  const outboxAgeMs = host.outboxAgeMs(seenSequence, nowMs);
  const republished = host.republishLost(seenSequence);
  if (!armed || (due && alarmAtMs !== null && alarmAtMs > nowMs)) host.alarm();
  const after = host.load();
  if (after === null) return { kind: 'unknown_saga' };
  if (after === 'expired') return { kind: 'expired' };
  return {
    kind: 'poked',
    state: after.saga.state,
    terminal: after.terminalBody !== null,
    due,
    armed,
    moved: after.saga !== before.saga || republished,
    outboxAgeMs,
  };
}

/** Whether the alarm of a record, which the storage names no more, is on its way to its handler, and not lost. */
function isRinging(alarmAtMs: number, nowMs: number): boolean {
  return alarmAtMs <= nowMs && alarmAtMs > nowMs - ALARM_RINGING_MS;
}
