/**
 * The log line of a saga's commit: where it stands, what was written, what is sent. Routine, unless a person is needed. Called by
 * the host, once per commit.
 */
import type { SagaRecord } from '../../src/domain/saga/record.ts';
import type { Step } from '../../src/domain/saga/table.ts';
import { logLine, routineLine } from '../../src/telemetry/log.ts';

export function logCommit<State extends string, Data, Name extends string>(
  groupId: string,
  { saga, trace }: SagaRecord<State, Data, Name>,
  { events, send }: Step<State, Data, Name>,
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
  if (needsPerson) logLine('saga.committed', { ...fields, alert: true });
  else routineLine('saga.committed', fields, trace.traceparent);
}
