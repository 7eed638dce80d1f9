-- When a callback's saga was last told, or was to be; 0: never, or before this was noted. Whoever has waited longest since then is
-- next, so that none starves another.
ALTER TABLE provider_callbacks ADD COLUMN tried_at_ms INTEGER NOT NULL DEFAULT 0;

-- The same rows written per callback as before: one for the status that it comes in, one for each that it takes.
DROP INDEX provider_callbacks_by_status;
CREATE INDEX provider_callbacks_by_status ON provider_callbacks (status, MAX(received_at_ms, tried_at_ms));
