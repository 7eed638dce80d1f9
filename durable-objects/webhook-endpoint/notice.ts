/**
 * The command by which a disabled endpoint tells of itself: an event of the catalogue like any other, so that the
 * notifications consumer delivers it as it delivers all. Chance and clock are here and not in the domain.
 */
import { CATALOGUE } from '../../src/domain/events/catalogue.ts';
import { groupIdOf, toTimestamp } from '../../src/domain/events/envelope.ts';
import type { WebhookEndpointState } from '../../src/domain/webhook.ts';

const TYPE = 'orchestrator.notify.webhook_endpoint_disabled';

/** The state with its notice, due now. An endpoint can be disabled more than once: each time is a notice of its own. */
export function withNotice(state: WebhookEndpointState, nowMs: number): WebhookEndpointState {
  const number = state.notices + 1;
  const traceId = crypto.randomUUID().replaceAll('-', '');
  const event = {
    event_id: crypto.randomUUID(),
    event_type: TYPE,
    event_version: CATALOGUE[TYPE].version,
    timestamp: toTimestamp(nowMs),
    payload: { endpoint_id: state.id, reason: state.disabled?.reason ?? 'failing' },
    metadata: {
      source: CATALOGUE[TYPE].source,
      merchant: state.scope.merchant,
      mode: state.scope.mode,
      trace_id: traceId,
      // Not sampled: the span that it names is nobody's.
      traceparent: `00-${traceId}-${traceId.slice(0, 16)}-00`,
      message_group_id: groupIdOf(state.id),
      message_deduplication_id: `${TYPE}.${state.id}.${number}`,
      sequence: number,
    },
  };
  return { ...state, notices: number, notice: { event, attempts: 0, dueAtMs: nowMs } };
}
