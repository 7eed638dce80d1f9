-- What the sweeper and the operators' list of sagas ask for. `saga_state` is in the public JSON already, so it is read from
-- there: old rows have it too.
ALTER TABLE payments ADD COLUMN saga_state TEXT GENERATED ALWAYS AS (body ->> '$.saga_state') VIRTUAL;
ALTER TABLE refunds ADD COLUMN saga_state TEXT GENERATED ALWAYS AS (body ->> '$.saga_state') VIRTUAL;

-- When a saga means to ask its provider next; RFC 3339 in UTC with milliseconds, so text compares as time does.
ALTER TABLE payments ADD COLUMN next_check_at TEXT GENERATED ALWAYS AS (body ->> '$.next_check_at') VIRTUAL;
ALTER TABLE refunds ADD COLUMN next_check_at TEXT GENERATED ALWAYS AS (body ->> '$.next_check_at') VIRTUAL;

-- Why a person is needed; null: none is. Rows from before have it in their log.
ALTER TABLE payments ADD COLUMN attention TEXT;
ALTER TABLE refunds ADD COLUMN attention TEXT;
UPDATE payments SET attention = (
  SELECT event.value ->> '$.payload.reason' FROM events, json_each(events.events) AS event
  WHERE events.group_id = 'payment_' || payments.id AND event.value ->> '$.event_type' = 'payment.needs_attention'
  ORDER BY events.sequence_first DESC, event.key DESC LIMIT 1
) WHERE saga_state = 'needs_attention';
UPDATE refunds SET attention = (
  SELECT event.value ->> '$.payload.reason' FROM events, json_each(events.events) AS event
  WHERE events.group_id = 'refund_' || refunds.id AND event.value ->> '$.event_type' = 'refund.needs_attention'
  ORDER BY events.sequence_first DESC, event.key DESC LIMIT 1
) WHERE saga_state = 'needs_attention';

-- When the sweeper last looked: whoever has waited longest since then is next, so that none starves another.
ALTER TABLE payments ADD COLUMN swept_at_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE refunds ADD COLUMN swept_at_ms INTEGER NOT NULL DEFAULT 0;

-- Partial: a payment that has ended costs nothing here.
CREATE INDEX payments_by_waiting ON payments (MAX(updated_at_ms, swept_at_ms)) WHERE status = 'PENDING';
CREATE INDEX refunds_by_waiting ON refunds (MAX(updated_at_ms, swept_at_ms)) WHERE status = 'PENDING';
CREATE INDEX payments_by_attention ON payments (updated_at_ms, id) WHERE attention IS NOT NULL;
CREATE INDEX refunds_by_attention ON refunds (updated_at_ms, id) WHERE attention IS NOT NULL;

-- What a run of the sweeper found; the last ones are kept.
CREATE TABLE sweeps (
  id INTEGER PRIMARY KEY,
  started_at_ms INTEGER NOT NULL,
  finished_at_ms INTEGER NOT NULL,
  report TEXT NOT NULL
);
