-- What the record had of sagas that may end while it is rebuilt: put aside by scripts/empty-record.sql, brought back by the rebuild
-- (docs/runbook.md), and empty at all other times. An object that is a tombstone by then proves what it was, and has nothing of it.
CREATE TABLE set_aside (
  id TEXT NOT NULL PRIMARY KEY,
  -- JSON: the row of `payments` or `refunds`.
  body TEXT NOT NULL
) WITHOUT ROWID;

-- As `events` has them.
CREATE TABLE set_aside_events (
  group_id TEXT NOT NULL,
  sequence_first INTEGER NOT NULL,
  sequence_last INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  events TEXT NOT NULL,
  PRIMARY KEY (group_id, sequence_first)
) WITHOUT ROWID;
