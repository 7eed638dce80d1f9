-- Empties what the objects can hand over again, before `npm run rebuild` (docs/runbook.md). What only the archive stands for stays: the
-- rows of archived payments, and what their events had counted; their timelines count as trimmed from here on.

-- Stops here ("malformed JSON") while something old is not archived yet: its object may be empty, and this would lose it.
SELECT json(CASE WHEN EXISTS (
  SELECT 1 FROM payments WHERE archive_id IS NULL AND status <> 'PENDING' AND updated_at_ms < (unixepoch() - 30 * 86400) * 1000
) THEN 'archive first' ELSE '0' END);
SELECT json(CASE WHEN EXISTS (SELECT 1 FROM archives WHERE status = 'planned') THEN 'archive first' ELSE '0' END);

-- An object that comes to its end before the rebuild comes to it hands nothing over any more: what may is put aside, and the rebuild brings
-- it back where its tombstone proves it. What was put aside before and is not back yet stays as it was.
INSERT OR IGNORE INTO set_aside_events
SELECT group_id, sequence_first, sequence_last, created_at_ms, events FROM events WHERE group_id IN (
  SELECT 'payment_' || id FROM payments WHERE archive_id IS NULL AND created_at_ms < (unixepoch() - 27 * 86400) * 1000
  UNION ALL SELECT 'refund_' || id FROM refunds WHERE archive_id IS NULL AND created_at_ms < (unixepoch() - 27 * 86400) * 1000
);
INSERT OR IGNORE INTO set_aside
SELECT id, json_object('id', id, 'merchant', merchant, 'mode', mode, 'wallet_id', wallet_id, 'service_id', service_id, 'method', method,
  'status', status, 'reference', reference, 'created_at_ms', created_at_ms, 'updated_at_ms', updated_at_ms, 'sequence', sequence,
  'body', body, 'attention', attention)
FROM payments WHERE archive_id IS NULL AND created_at_ms < (unixepoch() - 27 * 86400) * 1000;
INSERT OR IGNORE INTO set_aside
SELECT id, json_object('id', id, 'merchant', merchant, 'mode', mode, 'payment_id', payment_id, 'status', status,
  'created_at_ms', created_at_ms, 'updated_at_ms', updated_at_ms, 'sequence', sequence, 'body', body, 'attention', attention)
FROM refunds WHERE archive_id IS NULL AND created_at_ms < (unixepoch() - 27 * 86400) * 1000;

-- What was notified of archived payments goes with their timelines: the archive has both, and what counts as trimmed is deleted by nobody else.
DELETE FROM notifications WHERE group_id IN (
  SELECT 'payment_' || id FROM payments WHERE archive_id IS NOT NULL
  UNION ALL SELECT 'refund_' || id FROM refunds WHERE archive_id IS NOT NULL
);
UPDATE archives SET status = 'logs_trimmed', trim_number = (SELECT COALESCE(MAX(trim_number), 0) FROM archives) + id
WHERE kind = 'payments' AND status = 'stored';
DELETE FROM events;
DELETE FROM payments WHERE archive_id IS NULL;
DELETE FROM refunds WHERE archive_id IS NULL;
DELETE FROM wallets;
DELETE FROM archive_marks;
DELETE FROM archive_waiting;

DELETE FROM metric_counters WHERE series NOT LIKE 'metrics.notification.%' AND series NOT LIKE 'dead_letters.%';
INSERT INTO metric_counters (series, value, sums)
SELECT moved.key, SUM(moved.value), CASE WHEN moved.key = 'runs' THEN (
  SELECT json_group_object(name, sum) FROM (
    SELECT added.key AS name, SUM(added.value) AS sum FROM archives, json_each(archives.counts) AS added
    WHERE archives.trim_number IS NOT NULL AND instr(added.key, '|') > 0 GROUP BY added.key
  )
) END
FROM archives, json_each(archives.counts) AS moved
WHERE archives.trim_number IS NOT NULL AND instr(moved.key, '|') = 0
GROUP BY moved.key;
