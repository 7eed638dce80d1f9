-- One letter for all that dies of the same while it is present (decision 0086): its sender sends again for as long as it takes, and each
-- sending is a message of its own. Nothing of the letters from before is changed, not even read: there may be millions of them, in a
-- database that has no room. They have no key, and count by themselves.

-- What it waits for: JSON list of the queue, the merchant, the mode, the log and the effect. NULL: nobody sends it again.
ALTER TABLE dead_letters ADD COLUMN waits_for TEXT;
-- Messages that died of it, the first included: at least as many, as often as they were delivered.
ALTER TABLE dead_letters ADD COLUMN death_count INTEGER NOT NULL DEFAULT 1;
-- Of the last of them; NULL: there was no second. `died_at_ms` and `id` are the first one's.
ALTER TABLE dead_letters ADD COLUMN last_died_at_ms INTEGER;
ALTER TABLE dead_letters ADD COLUMN last_message_id TEXT;

CREATE UNIQUE INDEX dead_letters_waiting ON dead_letters (waits_for) WHERE status = 'present' AND waits_for IS NOT NULL;
