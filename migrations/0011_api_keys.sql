-- The list of API keys: what each may do, whose it is, and what became of it. Never a secret, and nothing that one could be
-- checked by: a key is its object's, and this is written after it.
CREATE TABLE api_keys (
  id TEXT NOT NULL PRIMARY KEY,
  mode TEXT NOT NULL,
  -- NULL: a platform key.
  merchant TEXT,
  name TEXT NOT NULL,
  -- JSON list.
  scopes TEXT NOT NULL,
  rotated_from TEXT,
  created_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER,
  revoked_at_ms INTEGER
) WITHOUT ROWID;

CREATE INDEX api_keys_by_merchant ON api_keys (mode, merchant, created_at_ms DESC, id DESC);

-- What the change was made with: an API key's id, or `bootstrap`. NULL: authentication was open, or the row is older than this.
ALTER TABLE audit_log ADD COLUMN credential TEXT;

-- A platform key is shown the letters of every merchant.
CREATE INDEX dead_letters_by_died ON dead_letters (died_at_ms DESC, id DESC);
