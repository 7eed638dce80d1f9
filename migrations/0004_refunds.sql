-- One row per refund, as of `sequence` of its log: a row is replaced only by a later one.
CREATE TABLE refunds (
  id TEXT NOT NULL PRIMARY KEY,
  merchant TEXT NOT NULL,
  mode TEXT NOT NULL,
  payment_id TEXT NOT NULL,
  status TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  -- The public JSON of the refund.
  body TEXT NOT NULL
) WITHOUT ROWID;

CREATE INDEX refunds_by_payment ON refunds (merchant, mode, payment_id, created_at_ms DESC, id DESC);
