/**
 * The log line of a saga's commit: where it stands, what was written, what is sent. Routine, unless a person is needed. Called by
 * the host, once per commit.
 */
import { HOUR_MS } from '../../src/domain/limits.ts';
import type { SagaRecord } from '../../src/domain/saga/record.ts';
import type { PendingCommand, Step } from '../../src/domain/saga/table.ts';
import { logLine, routineLine } from '../../src/telemetry/log.ts';

export function logCommit<State extends string, Data, Name extends string>(
  groupId: string,
  { saga, trace, terminalBody }: SagaRecord<State, Data, Name>,
  { events, send }: Step<State, Data, Name>,
  nowMs: number,
): void {
  const fields = {
    group_id: groupId,
    saga_state: saga.state,
    sequence: saga.sequence,
    events: events.map((event) => event.event_type).join(' '),
    sent: send.map((command) => command.event?.event_type ?? command.name).join(' '),
    trace_id: trace.traceId,
  };
  const needsPerson = events.some(({ event_type: type }) => type.endsWith('.needs_attention'));
  const isUnheard = terminalBody !== null && send.some((command) => undoesUnheard(command, nowMs));
  if (needsPerson || isUnheard) logLine('saga.committed', { ...fields, alert: true });
  else routineLine('saga.committed', fields, trace.traceparent);
}

/**
 * What has ended is in no list of what stands still. A late charge is undone after that, and while every sending of it is lost the saga
 * calls nobody for days (decision 0091): the log does, each time that it is sent again.
 */
function undoesUnheard({ event, firstSentAtMs }: PendingCommand, nowMs: number): boolean {
  const isUndoing = event?.event_type.startsWith('orchestrator.gateway.') === true;
  return isUndoing && firstSentAtMs !== null && nowMs - firstSentAtMs >= HOUR_MS;
}
