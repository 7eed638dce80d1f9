-- The last finished reconciliation of all providers, for /metrics and the overview: one row of it is read, however many of one
-- provider an operator has begun since. Partial: an entry is written once, when such a run ends.
CREATE INDEX reconciliations_of_all ON reconciliations (mode, created_at_ms DESC)
  WHERE status = 'finished' AND plan ->> '$.provider' IS NULL;
