/**
 * The storage of one endpoint. Append-only list: every statement creates what is missing and nothing else; what a value
 * holds evolves by `format` in the stored JSON.
 *
 * Rows written per delivery that succeeds at once: the delivery and its place in the index when it comes, both again and
 * the endpoint's totals when it ends (decision 0041).
 */
export const SCHEMA: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS endpoint (
     only INTEGER PRIMARY KEY CHECK (only = 1),
     -- JSON of WebhookEndpointState.
     state TEXT NOT NULL
   )`,
  // By time, so that the newest and the oldest are found with no index; a notification has one key, however often it comes.
  `CREATE TABLE IF NOT EXISTS deliveries (
     created_at_ms INTEGER NOT NULL,
     hash TEXT NOT NULL,
     event_type TEXT NOT NULL,
     status TEXT NOT NULL,
     due_at_ms INTEGER,
     -- JSON of DeliveryHistory.
     history TEXT NOT NULL,
     body TEXT NOT NULL,
     PRIMARY KEY (created_at_ms, hash)
   ) WITHOUT ROWID`,
  // Only what is pending: what an object that wakes must find, among all that it has ever delivered.
  `CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due_at_ms) WHERE due_at_ms IS NOT NULL`,
];
