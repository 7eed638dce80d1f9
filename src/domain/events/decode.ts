/**
 * Pure: from an untrusted JSON value (a queue message, a stored row) to a typed event. What does not decode is data for
 * the dead-letter path, never an exception.
 */
import { CATALOGUE, type EventPayload, type EventType, isEventType } from './catalogue.ts';
import { type Envelope, envelopeSchema } from './envelope.ts';

/** An event whose payload is known to fit its type. */
export type Event = { [Type in EventType]: TypedEvent<Type> }[EventType];
export interface TypedEvent<Type extends EventType> extends Omit<Envelope, 'event_type' | 'payload'> {
  event_type: Type;
  payload: EventPayload<Type>;
}

export type DecodeResult =
  | { readonly ok: true; readonly event: Event }
  /** `unknown_type`, `unknown_version`: well-formed, and not of this catalogue. All three are poison to a consumer. */
  | { readonly ok: false; readonly reason: 'malformed' | 'unknown_type' | 'unknown_version'; readonly detail: string };

/** Checks, in order: envelope → type known → version known → payload. Unknown fields are dropped. */
export function decodeEvent(value: unknown): DecodeResult {
  const envelope = envelopeSchema.safeParse(value);
  if (!envelope.success) return { ok: false, reason: 'malformed', detail: issueText(envelope.error.issues) };
  const { event_type: type, event_version: version } = envelope.data;
  if (!isEventType(type)) return { ok: false, reason: 'unknown_type', detail: type };
  if (version !== CATALOGUE[type].version)
    return { ok: false, reason: 'unknown_version', detail: `${type} ${version}` };
  const payload = CATALOGUE[type].payload.safeParse(envelope.data.payload);
  if (!payload.success) return { ok: false, reason: 'malformed', detail: issueText(payload.error.issues) };
  // The row of `type` has just accepted this payload; TypeScript cannot carry that through the union.
  return { ok: true, event: { ...envelope.data, event_type: type, payload: payload.data } as Event };
}

function issueText(issues: readonly { path: readonly PropertyKey[]; message: string }[]): string {
  return issues
    .slice(0, 5)
    .map((issue) => `/${issue.path.map(String).join('/')}: ${issue.message}`)
    .join('; ');
}
