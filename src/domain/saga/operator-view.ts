/**
 * Pure: a saga as a person who must decide sees it: what it waits for and how often it has tried, why it needs them, which
 * moves it takes, and what is in force. Nothing secret: no payload of a command, and the public view of the entity.
 */
import { toTimestamp } from '../events/envelope.ts';
import { effectIdOf } from './effects.ts';
import { movesOf, possibleMoves } from './operator.ts';
import type { SagaData, SagaKind, SagaRecord } from './record.ts';
import type { PendingCommand, StepContext } from './table.ts';

/** The JSON of `GET /ops/sagas/{id}` (docs/openapi.json). */
export function operatorView<State extends string, Data extends SagaData, Name extends string>(
  kind: SagaKind<State, Data, Name, unknown>,
  record: SagaRecord<State, Data, Name>,
  context: StepContext,
): Record<string, unknown> {
  const { saga } = record;
  const entity = kind.view(saga);
  const reason = kind.table.attention.reasonOf(saga);
  const moves = reason === null ? undefined : movesOf(kind.table, reason);
  return {
    id: entity.id,
    object: 'saga',
    kind: entity.object,
    status: entity.status,
    saga_state: saga.state,
    attention:
      reason === null ? null : { reason, says: moves?.says ?? '', moves: possibleMoves(kind.table, saga, context) },
    entered_at: toTimestamp(saga.enteredAtMs),
    sequence: saga.sequence,
    pending: saga.pending.map(commandView),
    given_up: (saga.spent ?? []).map(commandView),
    in_force: kind.inForce(saga),
    record: {
      recorded_sequence: record.recordedSequence,
      closed_sequence: record.closedSequence,
      publish_attempts: record.publishAttempts,
      publish_due_at: record.publishDueAtMs === null ? null : toTimestamp(record.publishDueAtMs),
    },
    alarm_at: record.alarmAtMs === 0 ? null : toTimestamp(record.alarmAtMs),
    last_move: saga.lastMove === undefined ? null : moveView(saga.lastMove),
    [entity.object]: entity,
  };
}

function commandView(command: PendingCommand): Record<string, unknown> {
  return {
    command: command.name,
    event_type: command.event?.event_type ?? null,
    effect_id: effectIdOf(command),
    attempts: command.attempts,
    first_sent_at: command.firstSentAtMs === null ? null : toTimestamp(command.firstSentAtMs),
    due_at: toTimestamp(command.dueAtMs),
  };
}

function moveView({ kind, resolution, actor, reason }: NonNullable<SagaRecord['saga']['lastMove']>) {
  return { kind, ...(resolution !== undefined && { resolution }), actor, reason };
}
