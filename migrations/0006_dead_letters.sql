-- What became of each dead letter, and whose it is. A letter never leaves: present until a person has it redriven or discards
-- it (X3: in = redriven + discarded with reason + present).

-- From the event's metadata; NULL: the message could not be read, and belongs to nobody.
ALTER TABLE dead_letters ADD COLUMN merchant TEXT;
ALTER TABLE dead_letters ADD COLUMN mode TEXT;
ALTER TABLE dead_letters ADD COLUMN status TEXT NOT NULL DEFAULT 'present'
  CHECK (status IN ('present', 'redriven', 'discarded'));
-- How often its owner was asked to send it again, the tries that did not reach the owner included.
ALTER TABLE dead_letters ADD COLUMN redrive_count INTEGER NOT NULL DEFAULT 0;
-- Of a redrive: sent_again, no_longer_awaited.
ALTER TABLE dead_letters ADD COLUMN outcome TEXT CHECK ((status = 'redriven') = (outcome IS NOT NULL));
ALTER TABLE dead_letters ADD COLUMN resolved_at_ms INTEGER CHECK ((status = 'present') = (resolved_at_ms IS NULL));
ALTER TABLE dead_letters ADD COLUMN resolved_by TEXT CHECK ((status = 'present') = (resolved_by IS NULL));
ALTER TABLE dead_letters ADD COLUMN resolution_reason TEXT CHECK ((status = 'present') = (resolution_reason IS NULL));

-- Letters from before: their bodies say whose they are. A body that was cut is no JSON any more.
UPDATE dead_letters SET merchant = body ->> '$.metadata.merchant', mode = body ->> '$.metadata.mode'
WHERE group_id IS NOT NULL AND json_valid(body);
UPDATE dead_letters
SET message_type = 'publication', group_id = body ->> '$.group_id',
    merchant = COALESCE(body ->> '$.payment.merchant', body ->> '$.refund.merchant'),
    mode = COALESCE(body ->> '$.payment.mode', body ->> '$.refund.mode')
WHERE group_id IS NULL AND json_valid(body) AND json_type(body) = 'object' AND body ->> '$.kind' = 'publication'
  AND COALESCE(body ->> '$.payment.merchant', body ->> '$.refund.merchant') IS NOT NULL;

INSERT INTO metric_counters (series, value)
SELECT 'dead_letters.stored', COUNT(*) FROM dead_letters HAVING COUNT(*) > 0;

-- One per filter of the list. Letters are rare, and looked at when much is wrong at once: the list must not read them all.
DROP INDEX dead_letters_by_died;
CREATE INDEX dead_letters_by_owner ON dead_letters (merchant, mode, died_at_ms DESC, id DESC);
CREATE INDEX dead_letters_by_status ON dead_letters (merchant, mode, status, died_at_ms DESC, id DESC);
CREATE INDEX dead_letters_by_queue ON dead_letters (merchant, mode, queue, died_at_ms DESC, id DESC);
CREATE INDEX dead_letters_by_type ON dead_letters (merchant, mode, message_type, died_at_ms DESC, id DESC);
CREATE INDEX dead_letters_by_group ON dead_letters (group_id, died_at_ms DESC, id DESC);
