-- The directory of webhook endpoints: which a merchant has, and what each asks for. Written once; the endpoint itself, its
-- secrets and its deliveries are its object's. An endpoint exists for notifications as long as it is in here.
CREATE TABLE webhook_endpoints (
  merchant TEXT NOT NULL,
  mode TEXT NOT NULL,
  id TEXT NOT NULL,
  -- JSON list of event types; NULL: all.
  events TEXT,
  created_at_ms INTEGER NOT NULL,
  -- How many of its deliveries are counted in metric_counters.
  delivered_count INTEGER NOT NULL,
  failed_count INTEGER NOT NULL,
  PRIMARY KEY (merchant, mode, id)
) WITHOUT ROWID;
