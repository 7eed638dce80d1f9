-- The archive (decision 0075, docs/retention.md): which objects of R2 hold what of the record, and how far it has been deleted here.

-- The archive's object that has the payment with its refunds and their timelines; null: none yet. Only of sagas whose own
-- objects are tombstones, so no row that has it ever changes again.
ALTER TABLE payments ADD COLUMN archive_id INTEGER;
ALTER TABLE refunds ADD COLUMN archive_id INTEGER;

CREATE TABLE archives (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('payments', 'provider_callbacks', 'dead_letters')),
  -- planned: which rows, nothing written. stored: in R2, read back and compared. logs_trimmed: timelines deleted here.
  -- trimmed: all of it deleted here.
  status TEXT NOT NULL CHECK (status IN ('planned', 'stored', 'logs_trimmed', 'trimmed')),
  object_key TEXT NOT NULL UNIQUE,
  -- JSON list: the keys of the rows, in order.
  keys TEXT NOT NULL,
  -- JSON; null until stored.
  manifest TEXT CHECK ((status = 'planned') = (manifest IS NULL)),
  -- JSON: by what its runs of events moved each series of metric_counters.
  counts TEXT NOT NULL DEFAULT '{}',
  -- The last change among its rows.
  newest_at_ms INTEGER NOT NULL,
  -- In which order the logs were trimmed, so that an audit can tell what went while it read.
  trim_number INTEGER UNIQUE,
  planned_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL
);

CREATE INDEX archives_by_status ON archives (status, newest_at_ms, id);

-- How far the search for payments to archive has come, by owner: the index payments_by_created serves it.
CREATE TABLE archive_marks (
  merchant TEXT NOT NULL,
  mode TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  id TEXT NOT NULL,
  PRIMARY KEY (merchant, mode)
) WITHOUT ROWID;

-- Payments that the search has passed and that could not be archived yet: when to look again.
CREATE TABLE archive_waiting (
  id TEXT NOT NULL PRIMARY KEY,
  due_at_ms INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX archive_waiting_by_due ON archive_waiting (due_at_ms);

-- One run of each job at a time.
CREATE TABLE archive_leases (
  job TEXT NOT NULL PRIMARY KEY,
  until_ms INTEGER NOT NULL
) WITHOUT ROWID;

-- The same rows written per callback as before: one for the status that it comes in, one for each that it takes.
DROP INDEX provider_callbacks_undelivered;
CREATE INDEX provider_callbacks_by_status ON provider_callbacks (status, received_at_ms);
