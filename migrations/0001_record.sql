-- The searchable record: projections of what the objects own, never an authority on money.
-- Times are milliseconds since the epoch; amounts are minor units.

-- One row per payment, as of `sequence` of its log: a row is replaced only by a later one.
CREATE TABLE payments (
  id TEXT NOT NULL PRIMARY KEY,
  merchant TEXT NOT NULL,
  mode TEXT NOT NULL,
  wallet_id TEXT NOT NULL,
  service_id TEXT NOT NULL,
  method TEXT NOT NULL,
  status TEXT NOT NULL,
  reference TEXT,
  created_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  -- The public JSON of the payment.
  body TEXT NOT NULL
) WITHOUT ROWID;

CREATE INDEX payments_by_created ON payments (merchant, mode, created_at_ms DESC, id DESC);
CREATE INDEX payments_by_wallet ON payments (merchant, mode, wallet_id, created_at_ms DESC, id DESC);

-- The event log, one row per published run of events of one group: a JSON array, sequence_first to sequence_last.
CREATE TABLE events (
  group_id TEXT NOT NULL,
  sequence_first INTEGER NOT NULL,
  sequence_last INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  events TEXT NOT NULL,
  PRIMARY KEY (group_id, sequence_first)
) WITHOUT ROWID;

-- One row per series, moved in the same transaction as the events that move it: exactly once.
CREATE TABLE metric_counters (
  series TEXT NOT NULL PRIMARY KEY,
  value INTEGER NOT NULL
) WITHOUT ROWID;

-- Messages whose attempts are spent, or that could not be read at all.
CREATE TABLE dead_letters (
  id TEXT NOT NULL PRIMARY KEY,
  queue TEXT NOT NULL,
  reason TEXT NOT NULL,
  message_type TEXT,
  group_id TEXT,
  effect_id TEXT,
  body TEXT NOT NULL,
  died_at_ms INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX dead_letters_by_died ON dead_letters (died_at_ms DESC, id DESC);

-- What was to be told to whom; one row per notification.
CREATE TABLE notifications (
  id TEXT NOT NULL PRIMARY KEY,
  event_type TEXT NOT NULL,
  group_id TEXT NOT NULL,
  body TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL
) WITHOUT ROWID;
