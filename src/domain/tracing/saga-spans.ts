/**
 * Pure: the spans of a saga, out of its event log alone: one for its run, and one for each command, from the command's event
 * to its last outcome's. Ids follow from the events' ids: the same log gives the same spans, however often it is published.
 * The messages of a command carry its span as their parent (`engine.ts`). Called when a run has been recorded.
 */
import { CATALOGUE, isEventType } from '../events/catalogue.ts';
import { type Envelope, entityOf } from '../events/envelope.ts';
import { SPAN_EVENTS_MAX } from '../limits.ts';
import type { Span, SpanAttributes, SpanEvent } from './span.ts';
import { parseTraceparent, spanIdOf } from './trace-context.ts';

const ENDINGS = /^(payment|refund)\.(completed|failed|needs_attention)$/;

/** Whether these events end a saga, or leave it to a person: when its spans are worth telling. */
export function endsSaga(events: readonly Envelope[]): boolean {
  return events.some(({ event_type: type }) => ENDINGS.test(type));
}

/** Whether the trace of these events is sampled. */
export function isSampledLog([first]: readonly Envelope[]): boolean {
  return parseTraceparent(first?.metadata.traceparent)?.isSampled ?? false;
}

/**
 * The spans of a whole log, in order of its sequence; none for a log that does not begin at 1, has no end yet, or is not
 * sampled. Events that come after the end (an outcome that was late) are in the spans of their commands.
 */
export function sagaSpans(log: readonly Envelope[]): readonly Span[] {
  const [created] = log;
  const caller = parseTraceparent(created?.metadata.traceparent);
  const end = log.findLast(({ event_type: type }) => ENDINGS.test(type));
  if (created?.metadata.sequence !== 1 || end === undefined || caller === null || !caller.isSampled) return [];
  const root = spanIdOf(created.event_id);
  const commands = log.filter(isCommand).map((command) => commandSpan(command, outcomesOf(command, log), root));
  const facts = log.filter((event) => kindOf(event) === 'fact' && answeredType(event) === null);
  const saga: Span = {
    traceId: created.metadata.trace_id,
    spanId: root,
    parentSpanId: caller.spanId,
    name: `saga ${created.event_type.split('.')[0]}`,
    kind: 'internal',
    startAtMs: Date.parse(created.timestamp),
    endAtMs: Date.parse(end.timestamp),
    attributes: {
      'holdfast.entity_id': entityOf(created.metadata.message_group_id),
      'holdfast.payment_id': textOf(created, 'payment_id'),
      'holdfast.merchant': created.metadata.merchant,
      'holdfast.event_type': end.event_type,
      'holdfast.state': textOf(end, 'status') ?? 'NEEDS_ATTENTION',
      'holdfast.outcome': textOf(end, 'failure_code'),
    },
    events: facts.slice(0, SPAN_EVENTS_MAX).map(toSpanEvent),
    isError: end.event_type.endsWith('.needs_attention'),
  };
  return [saga, ...commands];
}

/** A command whose outcome is no event (a notification that was taken over) has no length. */
function commandSpan(command: Envelope, outcomes: readonly Envelope[], root: string): Span {
  const last = outcomes.at(-1);
  const startAtMs = Date.parse(command.timestamp);
  const status = last && textOf(last, 'gateway_status');
  return {
    traceId: command.metadata.trace_id,
    spanId: spanIdOf(command.event_id),
    parentSpanId: root,
    name: command.event_type,
    kind: 'internal',
    startAtMs,
    endAtMs: last === undefined ? startAtMs : Math.max(startAtMs, Date.parse(last.timestamp)),
    attributes: {
      'holdfast.effect_id': command.metadata.message_deduplication_id,
      'holdfast.event_type': last?.event_type,
      'holdfast.provider': (last && textOf(last, 'provider')) ?? textOf(command, 'provider'),
      'holdfast.gateway_status': status,
      'holdfast.state': last && textOf(last, 'status'),
      'holdfast.outcome': last && textOf(last, 'decline_code'),
    } satisfies SpanAttributes,
    events: outcomes.slice(0, SPAN_EVENTS_MAX).map(toSpanEvent),
    isError: status === 'UNKNOWN' || status === 'VOID_FAILED' || status === 'REFUND_FAILED',
  };
}

/** What was heard of a command, up to the next of its type: an outcome names its type, and the log has them in order. */
function outcomesOf(command: Envelope, log: readonly Envelope[]): readonly Envelope[] {
  const { event_type: type } = command;
  const after = log.filter(({ metadata }) => metadata.sequence > command.metadata.sequence);
  const next = after.find(({ event_type: other }) => other === type)?.metadata.sequence ?? Number.POSITIVE_INFINITY;
  return after.filter((event) => event.metadata.sequence < next && answeredType(event) === type);
}

function answeredType(event: Envelope): string | null {
  const { event_type: type } = event;
  if (type === 'payment_gateway.response') return `orchestrator.gateway.${textOf(event, 'operation')}`;
  if (type === 'payment.refund_reserved') return 'orchestrator.payment.reserve_refund';
  if (type === 'payment.refund_settled') return 'orchestrator.payment.settle_refund';
  return type.startsWith('wallet.') ? `orchestrator.${type.replace(/_failed$/, '')}` : null;
}

function toSpanEvent(event: Envelope): SpanEvent {
  return {
    name: event.event_type,
    atMs: Date.parse(event.timestamp),
    attributes: {
      'holdfast.provider': textOf(event, 'provider'),
      'holdfast.gateway_status': textOf(event, 'gateway_status'),
    },
  };
}

function isCommand(event: Envelope): boolean {
  return kindOf(event) === 'command';
}

function kindOf({ event_type: type }: Envelope): 'fact' | 'command' | 'metric' | null {
  return isEventType(type) ? CATALOGUE[type].kind : null;
}

/** A member of the payload that is a text; only members that are ids, names and codes are asked for here. */
function textOf({ payload }: Envelope, member: string): string | undefined {
  const value = payload[member];
  return typeof value === 'string' ? value : undefined;
}
