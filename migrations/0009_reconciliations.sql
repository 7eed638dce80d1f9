-- Reports of reconciliations, one row each: written by the reconciliation's object as it goes.
CREATE TABLE reconciliations (
  id TEXT NOT NULL PRIMARY KEY,
  mode TEXT NOT NULL,
  -- running, finished, failed
  status TEXT NOT NULL,
  -- JSON: what it is about, and who asked for it; never changes.
  plan TEXT NOT NULL,
  -- JSON: how far it is, and what it has found, counted.
  progress TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX reconciliations_by_created ON reconciliations (mode, created_at_ms DESC, id DESC);

-- What a reconciliation found: a difference each, or an entity that waits for a person.
CREATE TABLE reconciliation_findings (
  reconciliation_id TEXT NOT NULL,
  -- Empty where no payment is known.
  payment_id TEXT NOT NULL,
  class TEXT NOT NULL,
  -- What of the payment: a reference, a refund, a side of the ledger.
  subject TEXT NOT NULL,
  currency TEXT NOT NULL,
  in_doubt_minor INTEGER NOT NULL,
  -- JSON of the finding.
  body TEXT NOT NULL,
  PRIMARY KEY (reconciliation_id, payment_id, class, subject)
) WITHOUT ROWID;

-- Reconciliation goes through refunds by the time that they were made.
CREATE INDEX refunds_by_created ON refunds (mode, created_at_ms, id);
