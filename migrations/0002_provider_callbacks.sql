-- Callbacks of providers, each once, with what it told and whether its saga has heard it. A callback that matches no saga
-- is kept and tried again, never silently accepted.
CREATE TABLE provider_callbacks (
  provider TEXT NOT NULL,
  -- The provider's own id of the notification: the same on a redelivery.
  event_id TEXT NOT NULL,
  entity_id TEXT NOT NULL,
  -- JSON of the outcome that it amounts to; never the raw body.
  outcome TEXT NOT NULL,
  -- received, delivered, unmatched, abandoned
  status TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  occurred_at_ms INTEGER NOT NULL,
  received_at_ms INTEGER NOT NULL,
  PRIMARY KEY (provider, event_id)
) WITHOUT ROWID;

CREATE INDEX provider_callbacks_undelivered ON provider_callbacks (received_at_ms)
  WHERE status IN ('received', 'unmatched');
