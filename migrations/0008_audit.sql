-- The directory of wallets: one row for each that exists, entered once and never changed; the wallet is its object's.
CREATE TABLE wallets (
  merchant TEXT NOT NULL,
  mode TEXT NOT NULL,
  id TEXT NOT NULL,
  currency TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (merchant, mode, id)
) WITHOUT ROWID;

-- The operators' log as a hash chain. Rows from before have no hash; a row's `id` is gapless, and covered by its hash.
ALTER TABLE audit_log ADD COLUMN previous_hash TEXT;
ALTER TABLE audit_log ADD COLUMN hash TEXT;

-- No two rows follow the same one: of two that are appended at once, one is refused and tries again after the other.
CREATE UNIQUE INDEX audit_log_by_previous ON audit_log (previous_hash);
