/**
 * Pure: bounds that several parts share, noun first, unit last; a part's own bound stands in that part.
 * Nothing here is read from the environment; what differs by mode is in `saga/policy.ts`.
 */

export const SECOND_MS = 1_000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** Largest amount or balance, in minor units: below 2^53. A sum of two can pass 2^53: `addMinor` refuses it. */
export const AMOUNT_MINOR_MAX = 9_000_000_000_000_000;

/** A request body larger than this is refused with 413 before it is read to its end. */
export const BODY_BYTES_MAX = 64 * 1024;
/** JSON nested deeper than this is refused: no body of ours needs more than three levels. */
export const BODY_DEPTH_MAX = 16;
export const METADATA_KEYS_MAX = 20;
export const METADATA_KEY_LENGTH_MAX = 40;
export const METADATA_VALUE_LENGTH_MAX = 500;
export const CLIENT_ID_LENGTH_MAX = 64;
export const REFERENCE_LENGTH_MAX = 128;
export const TOKEN_LENGTH_MAX = 128;
export const IDEMPOTENCY_KEY_LENGTH_MAX = 255;

export const PAGE_LIMIT_MAX = 100;
export const PAGE_LIMIT_DEFAULT = 20;
/**
 * Payments that one page of GET /payments looks through for what no index has (decision 0085): some 50 ms of D1, which does one
 * thing at a time.
 */
export const PAYMENTS_SEARCHED_MAX = 5_000;
/** Events answered by one timeline read; a payment that is looked up daily for 72 h stays far below it. */
export const TIMELINE_EVENTS_MAX = 1_000;

/** `Prefer: wait=N`: the longest that an answer is held. */
export const PREFER_WAIT_SECONDS_MAX = 25;
/** Requests that may wait on one payment at once; one more is answered at once, as if it had not asked to wait. */
export const WAITERS_MAX = 2_000;

/** Streams of one timeline at once: a page, its tabs and a few servers; each is told of every commit. */
export const LIVE_STREAMS_MAX = 100;
/**
 * A stream of server-sent events is ended after this, and a WebSocket is closed instead of being told more: the client comes again. What
 * nobody reads must not stay open, and who is no longer let in must not be told.
 */
export const LIVE_STREAM_MAX_AGE_MS = 15 * MINUTE_MS;
/** Well below the minute after which proxies cut a connection on which nothing is said. */
export const LIVE_KEEP_ALIVE_MS = 15 * SECOND_MS;
/** What a client is told to wait before it comes again. */
export const LIVE_RECONNECT_MS = SECOND_MS;

/** 30 days past the terminal state a key is forgotten down to a tombstone (published in the API reference). */
export const RETENTION_MS = 30 * DAY_MS;
/**
 * How long the record (D1) keeps timelines, what was notified, callbacks, and dead letters that are settled, past the last
 * change of what they belong to. Some 14 KB a payment, of 10 GB in all (docs/retention.md): longer than an object lives, so that
 * the archiving may be missed for weeks.
 */
export const RECORD_LOG_RETENTION_MS = 60 * DAY_MS;
/** How long the record lists a payment and its refunds, past their last change: a year and its month, to compare the two. */
export const RECORD_ROW_RETENTION_MS = 400 * DAY_MS;
/** Payments in one object of the archive: some 500 KB of JSON, and as many calls to owners at least. */
export const ARCHIVE_PAYMENTS_MAX = 50;
/** Rows of callbacks, or of dead letters, in one object of the archive; a letter may hold 128 KB. */
export const ARCHIVE_ROWS_MAX = 100;
/** Objects of the archive that one run writes, and trims, of each kind: a run a minute for four hours keeps up with 100,000 payments a night. */
export const ARCHIVE_STEPS_MAX = 10;
/**
 * Owners that one run of the archiver asks. With its queries, and the three jobs beside it, some 1,000 calls of the 10,000 that an
 * invocation may make (https://developers.cloudflare.com/workers/platform/limits/#subrequests). They are asked one after another,
 * and the next run comes in a minute.
 */
export const ARCHIVE_OWNERS_MAX = 600;
/** Longer than any run of a cron may take (15 minutes): one that ended without saying so holds up the next no longer. */
export const ARCHIVE_LEASE_MS = 16 * MINUTE_MS;
/** A payment whose archiving failed, or is needed still, is looked at again after this. */
export const ARCHIVE_WAIT_MS = DAY_MS;

/**
 * Of so many sendings of a compensation it is known that they were in vain, before its budget counts: with the shortest budget (sandbox,
 * 30 s) so many were made by then, unless the object was away.
 */
export const COMPENSATION_TRIES_MIN = 3;

/** A hold outlives the longest saga window (72 h of look-ups) with room for a person to resolve what is left. */
export const HOLD_TTL_MS = 7 * DAY_MS;
/** Open holds of one wallet: they are kept in memory, and listed in every 64th entry's row, which may be 2 MB at most. */
export const WALLET_OPEN_HOLDS_MAX = 10_000;
/**
 * From here on a wallet takes no hold and no deposit. Its object has 10 GB (https://developers.cloudflare.com/durable-objects/platform/limits/), and one
 * that is full writes nothing at all: what is left is for the ends of 10,000 holds (under 100 MB, with every 64th entry's list of the open
 * ones) and for a million credits and reversals.
 */
export const WALLET_SIZE_BYTES_MAX = 9_000_000_000;
/** Every how many entries the open holds are written out: a cold object reads at most as many entries. */
export const HOLDS_SNAPSHOT_ENTRIES = 64;
/** Open holds listed in one wallet read. */
export const WALLET_HOLDS_LISTED_MAX = 100;
/** Commands that one wallet takes in one call: as many as one queue batch can bring. */
export const WALLET_COMMANDS_MAX = 100;

/** What is kept of an error's text, in a log line, an event or a row. */
export const ERROR_TEXT_LENGTH_MAX = 500;
/** What is kept of a dead letter's body, in bytes of JSON; a queue message is at most 128 KB. */
export const DEAD_LETTER_BODY_LENGTH_MAX = 128 * 1024;

/** Letters of one redrive: each may be a call of another object, of the 10,000 that a request may make. */
export const DEAD_LETTERS_REDRIVE_MAX = 100;

/** Refunds of one payment that are under way or were given: Stripe's list of a charge's is exact up to a hundred. */
export const REFUNDS_IN_FORCE_MAX = 99;
/** With those that came to nothing: the payment keeps them all, in each of its commits (decision 0079). */
export const REFUNDS_PER_PAYMENT_MAX = 500;
/**
 * Of runs in one message to the record, which is at most 128 KB with the row (https://developers.cloudflare.com/queues/platform/limits/). A
 * row is up to 77 KB: metadata of control characters, each six bytes of a request and seven here.
 */
export const PUBLICATION_RUNS_BYTES_MAX = 48_000;

/** Endpoints of one merchant in one mode: each notification costs a call to each of them that asks for it. */
export const WEBHOOK_ENDPOINTS_MAX = 16;
/** What every browser and proxy takes. */
export const WEBHOOK_URL_LENGTH_MAX = 2_048;
export const WEBHOOK_DESCRIPTION_LENGTH_MAX = 256;
/** 256 bits; the Standard Webhooks specification asks for 24 to 64 bytes. */
export const WEBHOOK_SECRET_BYTES = 32;
/** How long a secret that was rotated out still signs: a day to roll the new one out. */
export const WEBHOOK_SECRET_OVERLAP_MS = DAY_MS;
/** Secrets that sign at once; one more rotation within the overlap drops the oldest. Bounds the signature header. */
export const WEBHOOK_SECRETS_MAX = 4;
/**
 * Attempts of one endpoint at once. An object has six connections that wait for an answer, all its events together
 * (https://developers.cloudflare.com/workers/platform/limits/#simultaneous-open-connections); a seventh would wait inside
 * our timeout. One is left for the record.
 */
export const WEBHOOK_IN_FLIGHT_MAX = 5;
/** Deliveries that one endpoint may have waiting: a receiver that is away for a day at one event a second. */
export const WEBHOOK_PENDING_MAX = 100_000;
/** Attempts of one delivery that are kept and listed, the newest; resending by hand is what makes so many. */
export const WEBHOOK_ATTEMPTS_KEPT_MAX = 40;
/** How long a delivery is listed, and can be sent again. */
export const WEBHOOK_RETENTION_MS = 30 * DAY_MS;

/** Of chance in an API key: 256 bits, which nobody guesses, however fast. */
export const API_KEY_RANDOM_BYTES = 32;
/** Keys of one merchant, or of the platform, that count at once: more are keys that nobody has an eye on any more. */
export const API_KEYS_ACTIVE_MAX = 100;
/** How long a key that was rotated out still counts, unless it is said: a day to roll the new one out. */
export const API_KEY_OVERLAP_SECONDS_DEFAULT = 24 * 60 * 60;
export const API_KEY_OVERLAP_SECONDS_MAX = 30 * 24 * 60 * 60;

/** Rows of a wallet that one page of its audit takes: each is hashed, some 20 µs, so a page holds the object for 10 ms. */
export const AUDIT_WALLET_ROWS_MAX = 512;
/**
 * Characters of a saga's commits beyond which the older ones become a page of their own: one value is at most 2 MB
 * (https://developers.cloudflare.com/durable-objects/platform/limits/) and is written whole with each commit. A payment that is not
 * disturbed has some 16,000 (decision 0054).
 */
export const SAGA_PAGE_TEXT_MAX = 65_536;
/** Commits that a saga's object hands out at once: a commit is a few kilobytes, a message between objects at most 32 MB. */
export const STORED_COMMITS_MAX = 100;
/** Commits of one saga that an audit or a rebuild reads; one looked up daily for 72 h has some thirty. */
export const SAGA_COMMITS_MAX = 2_000;
/** Sagas, or wallets, in one page of an audit: each is one call to an object, of the 10,000 that a request may make. */
export const AUDIT_OBJECTS_MAX = 50;
/** Runs of the event log, and rows of the operators' log, in one page of an audit. */
export const AUDIT_RECORD_ROWS_MAX = 500;
/** Objects that one request may have rebuilt. */
export const REBUILD_OBJECTS_MAX = 50;
/** Of rows that are appended to the operators' log at the same moment one wins each round: so many at once, and more are a fault. */
export const AUDIT_APPEND_ATTEMPTS_MAX = 32;
/**
 * A walk of the auditor carries sums for each currency that there is, and two counts for each series: some 40 bytes each, and some
 * 500 series if every provider has answered everything.
 */
export const AUDIT_CURSOR_LENGTH_MAX = 60 * 1024;
/** Rows of sagas that one scrape of /metrics reads of each kind: 20 ms of D1. More are left out, and the scrape says so. */
export const SCRAPE_ROWS_MAX = 2_000;
/** What one part of a scrape may take: together they stay within the 10 s that Prometheus waits. */
export const SCRAPE_PART_TIMEOUT_MS = 4 * SECOND_MS;
/** Payments that the plots of one overview are made of, the newest; with their index entries, a cent of D1 for 250 of them. */
export const OVERVIEW_PAYMENTS_MAX = 20_000;
/** The longest span of time that one reconciliation is about: longer ones are several. */
export const RECONCILIATION_WINDOW_MAX_MS = 31 * DAY_MS;
/** What the nightly one looks back on: longer than the longest saga, so that what was in flight is seen again when it has ended. */
export const RECONCILIATION_NIGHTLY_MS = 4 * DAY_MS;
/** How far around its window a provider's books are read: its clock is not ours, and a charge follows its payment by minutes. */
export const RECONCILIATION_SLACK_MS = HOUR_MS;
/** Payments compared in one step: their wallets and, where they differ, their owners are asked, far from the 10,000 calls that it may make. */
export const RECONCILIATION_PAGE_SIZE = 100;
/** Steps of one reconciliation: some ten million payments; beyond them it has gone astray. */
export const RECONCILIATION_STEPS_MAX = 200_000;
/** Tries of one step, over some hours; then the reconciliation has failed, and says so. */
export const RECONCILIATION_ATTEMPTS_MAX = 60;
/** Tries of one page of a provider's books: then they are not available, and the rest is compared without them. */
export const RECONCILIATION_BOOKS_ATTEMPTS_MAX = 5;
/** Differences that one report keeps; more are counted. So many are one fault, not many. */
export const RECONCILIATION_DIFFERENCES_MAX = 10_000;
/** Findings that one step writes: one transaction of the record, far below 2 MB. */
export const RECONCILIATION_FINDINGS_PER_STEP_MAX = 1_000;
/** Second looks at a provider in one step: each is a call to it. More are left unconfirmed. */
export const RECONCILIATION_LOOKUPS_MAX = 50;
/** Reconciliations that run at once: each reads whole books. */
export const RECONCILIATIONS_RUNNING_MAX = 4;
/** How long a report is kept. */
export const RECONCILIATION_RETENTION_MS = 400 * DAY_MS;
/** Reports that one night forgets, each in a transaction of its own: the night's, and those of operators who ask all day. */
export const RECONCILIATIONS_FORGOTTEN_MAX = 10;
/** Payments that one question to a wallet's ledger names: as many as one step compares. */
export const LEDGER_PAYMENTS_MAX = RECONCILIATION_PAGE_SIZE;
/** Entries that one question to a wallet's ledger may read through: 50 ms of an object that has other things to do. */
export const LEDGER_SCAN_MAX = 20_000;
/** An alarm may be up to a minute late (Cloudflare's documentation): one that is later than two has been lost. */
export const ALARM_LATE_MS = 2 * MINUTE_MS;
/**
 * For so long after its time an alarm that the storage no longer names may be ringing: the platform takes it away before its handler
 * runs, and a call may come in between. A few milliseconds, when it was seen.
 */
export const ALARM_RINGING_MS = SECOND_MS;
/** How long the answer to a person's move waits for what comes of it: a hop to the wallet and back takes milliseconds. */
export const MOVE_WAIT_MS = 3 * SECOND_MS;
/** Spans that one unit of work exports: a batch of 100 commands, or of a hundred sagas; below a megabyte. Further ones are lost. */
export const SPANS_EXPORTED_MAX = 1_200;
/** Events of one span; a saga that is looked up daily for 72 h stays below it. */
export const SPAN_EVENTS_MAX = 128;
/** How long an export may take: nothing waits for it but its own invocation, which must end. */
export const TRACE_EXPORT_TIMEOUT_MS = 2 * SECOND_MS;
/** How long an isolate leaves a collector alone that did not take its spans; what is recorded meanwhile is lost. */
export const TRACE_EXPORT_PAUSE_MS = 30 * SECOND_MS;
