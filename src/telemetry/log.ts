/**
 * The log: one JSON line per unit of work (a request, a saga transition, a consumed message, a provider call).
 * Redacted by an allow-list: a field that is not named here does not exist for the type checker and is dropped at run
 * time, so bodies, tokens and idempotency keys cannot leak by being passed along. Called by every part.
 */
import { ERROR_TEXT_LENGTH_MAX } from '../domain/limits.ts';
import { parseTraceparent } from '../domain/tracing/trace-context.ts';

/** What may appear in a line. Ids, names, counts, codes and times; nothing that a client wrote freely. */
const LOG_FIELDS = [
  'alarm_lost',
  'alert',
  'api_key_id',
  'attempts',
  'code',
  'command',
  'complete',
  'count',
  'delay_seconds',
  'delivery_id',
  'duration_ms',
  'endpoint_id',
  'effect_id',
  'entity_id',
  'error',
  'event_type',
  'events',
  'examined',
  'facts',
  'failed',
  'gateway_status',
  'group_id',
  'hold_of_ended',
  'hold_overdue',
  'http_status',
  'invariant',
  'job',
  'merchant',
  'message_id',
  'message_type',
  'method',
  'mode',
  'moved',
  'object_empty',
  'operation',
  'outbox_stale',
  'outcome',
  'payment_id',
  'poked',
  'problems',
  'provider',
  'queue',
  'reason',
  'record_behind',
  'request_id',
  'route',
  'saga_state',
  'sent',
  'sequence',
  'status',
  'trace_id',
  'truncated',
  'wallet_version',
] as const;

export type LogField = (typeof LOG_FIELDS)[number];
export type LogFields = { readonly [Field in LogField]?: string | number | boolean | null | undefined };

/**
 * Writes the line of what went as it should, where its trace is sampled: most of them say what the event log says too, and a
 * line is paid for (decision 0065). What went wrong, or needs somebody, is a `logLine`.
 */
export function routineLine(event: string, fields: LogFields, traceparent: string | undefined): void {
  if (parseTraceparent(traceparent)?.isSampled !== false) logLine(event, fields);
}

/** Writes one line. `event` is `part.fact`, as in `http.request`; strings are cut at ERROR_TEXT_LENGTH_MAX. */
export function logLine(event: string, fields: LogFields): void {
  const line: Record<string, string | number | boolean | null> = { event };
  for (const field of LOG_FIELDS) {
    const value = fields[field];
    if (value === undefined) continue;
    line[field] = typeof value === 'string' ? value.slice(0, ERROR_TEXT_LENGTH_MAX) : value;
  }
  console.log(JSON.stringify(line));
}

/** What may be kept of a caught value: its name and message, cut at ERROR_TEXT_LENGTH_MAX; never a stack. */
export function errorText(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.slice(0, ERROR_TEXT_LENGTH_MAX);
}
