-- What was read whole before: each query here is pinned to its index by test/flows/record-plans.test.ts.

-- GET /payments?status=FAILED and PENDING. Partial: a payment that completes is not in it, so most cost nothing here (decision 0085).
CREATE INDEX payments_by_status ON payments (merchant, mode, status, created_at_ms DESC, id DESC) WHERE status <> 'COMPLETED';

-- What the archiver takes of dead letters, once a minute for four hours a night. Letters are few.
CREATE INDEX dead_letters_by_resolved ON dead_letters (status, resolved_at_ms);
