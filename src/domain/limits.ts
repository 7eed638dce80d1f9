/**
 * Pure: every bound of the service in one place, noun first, unit last.
 * Nothing here is read from the environment; what differs by mode is in `saga/policy.ts`.
 */

export const SECOND_MS = 1_000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** Largest amount or balance, in minor units: below 2^53, and a sum of two of them is still a safe integer times two. */
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
/** Events answered by one timeline read; a payment that is looked up daily for 72 h stays far below it. */
export const TIMELINE_EVENTS_MAX = 1_000;

/** `Prefer: wait=N`: the longest that an answer is held. */
export const PREFER_WAIT_SECONDS_MAX = 25;
/** Requests that may wait on one payment at once; one more is answered at once, as if it had not asked to wait. */
export const WAITERS_MAX = 2_000;

/** 30 days past the terminal state a key is forgotten down to a tombstone (published in the API reference). */
export const RETENTION_MS = 30 * DAY_MS;

/** A hold outlives the longest saga window (72 h of look-ups) with room for a person to resolve what is left. */
export const HOLD_TTL_MS = 7 * DAY_MS;
/** Open holds of one wallet: they are kept in memory, and listed in every 64th entry's row, which may be 2 MB at most. */
export const WALLET_OPEN_HOLDS_MAX = 10_000;
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
