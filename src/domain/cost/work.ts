/**
 * Pure: what known pieces of work spend: a message on its way through a queue, a call of an object, and what a saga that has
 * ended has still to spend, which is charged when it ends (decision 0064). Used by the objects and the consumers.
 */
import { type Spent, sumOfSpent } from './spent.ts';

/** A message is billed per 64 KB (https://developers.cloudflare.com/queues/platform/pricing/). */
const CHUNK_BYTES = 64_000;
/** The most bytes that a character of a string can be in UTF-8. */
const BYTES_PER_UNIT_MAX = 3;

/** How many operations writing, reading or deleting a message with this body is, each. */
export function chunksOf(body: unknown): number {
  const text = JSON.stringify(body) ?? '';
  // Nearly every message: known to fit without a look at its characters.
  if (text.length * BYTES_PER_UNIT_MAX <= CHUNK_BYTES) return 1;
  return Math.max(1, Math.ceil(new TextEncoder().encode(text).length / CHUNK_BYTES));
}

/** Of a message that is handed to a queue: its write. */
export function sending(body: unknown): Spent {
  return { queue_operations: chunksOf(body) };
}

/**
 * Of a message that has been handled: a read for each delivery so far, its delete, and, for the first of its batch, the
 * invocation of the Worker.
 */
export function delivery(body: unknown, attempts: number, isFirstOfBatch: boolean): Spent {
  return sumOfSpent(
    { queue_operations: (attempts + 1) * chunksOf(body) },
    isFirstOfBatch ? { worker_requests: 1 } : {},
  );
}

/**
 * One call of an object. A millisecond for each, since an object's clock does not see its own computing
 * (https://developers.cloudflare.com/workers/runtime-apis/performance/); what it waits for is added to that.
 */
export const OBJECT_CALL: Spent = { object_requests: 1, object_ms: 1 };

/** A request of a client that an object is called for. */
export const REQUEST: Spent = sumOfSpent({ worker_requests: 1 }, OBJECT_CALL);

/**
 * A provider's callback: the request, its row, with its places among those that wait and those of its payment, and its row again once
 * it has been told.
 */
export const CALLBACK: Spent = { worker_requests: 1, d1_rows_written: 4, d1_rows_read: 2 };

/** The rows that bring a saga to rest: its record, once more, and the alarm of its retention. */
const REST: Spent = { object_rows_written: 2 };

/** Of D1: the end of a saga as its run is recorded alone. */
const END_RECORDED: Spent = { d1_rows_written: 4 };

/** A message of ordinary size, alone in its batch, and the acknowledgement of what it brought. */
const MESSAGE_AND_CALL: Spent = sumOfSpent(sending(''), delivery('', 1, true), OBJECT_CALL);

/** An earlier run that waits to be recorded: it has been sent, comes in the batch of the last, and is acknowledged by itself. */
const EARLIER_RUN: Spent = sumOfSpent(delivery('', 1, false), OBJECT_CALL, { d1_rows_written: 3 });

/** Nothing was told before: the row in its lists, made and not rewritten. */
const UNTOLD: Spent = { d1_rows_written: 2 };

/** When the retention ends: the alarm's call, and the tombstone in the stead of the commits, which are one value. */
export const EXPIRY: Spent = sumOfSpent(OBJECT_CALL, { object_rows_written: 1 });

/** What the record knows of a saga before its end: all runs until then, or not yet the one that is on its way, or none. */
export type EarlierRuns = 'recorded' | 'out' | 'untold';
const EARLIER: Readonly<Record<EarlierRuns, Spent>> = { recorded: {}, out: EARLIER_RUN, untold: UNTOLD };

/** What a saga that ends now has still to spend, undisturbed and with nobody to tell: recorded, at rest, expired. */
export function afterTheEnd(earlier: EarlierRuns): Spent {
  return sumOfSpent(MESSAGE_AND_CALL, END_RECORDED, REST, EXPIRY, EARLIER[earlier]);
}
