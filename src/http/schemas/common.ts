/**
 * Schemas that every resource shares: money, ids, times, pages. What a schema accepts is decided by the domain
 * (money.ts, ids.ts, limits.ts); the OpenAPI metadata beside it says the same to readers.
 */
import { z } from '@hono/zod-openapi';
import { CLIENT_ID_PATTERN, WALLET_ID_PATTERN } from '../../domain/ids.ts';
import { AMOUNT_MINOR_MAX, PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX, REFERENCE_LENGTH_MAX } from '../../domain/limits.ts';
import { isAmountMinor, isCurrency } from '../../domain/money.ts';
import { CURSOR_LENGTH_MAX } from '../cursor.ts';

export const amountMinor = z
  .number()
  .refine(isAmountMinor, `Must be a whole number of minor units, 1 to ${AMOUNT_MINOR_MAX}.`)
  .openapi({
    type: 'integer',
    format: 'int64',
    minimum: 1,
    maximum: AMOUNT_MINOR_MAX,
    description: "In the currency's minor unit: 1230 USD is 12.30 USD.",
    example: 1230,
  });

export const currencyCode = z
  .string()
  .refine(isCurrency, 'Must be an ISO 4217 code, in upper case.')
  .openapi({ pattern: '^[A-Z]{3}$', description: 'An ISO 4217 code that the service knows.', example: 'USD' });

/** An id that the client chose. */
export function clientId(example: string) {
  return z
    .string()
    .regex(CLIENT_ID_PATTERN, 'Must be 1 to 64 letters, digits, "-", "_", "." or ":".')
    .openapi({ example });
}

/** The id of a wallet that is to be made or used. */
export const walletId = z
  .string()
  .regex(WALLET_ID_PATTERN, 'Must be 1 to 64 letters, digits, "-", "_", "." or ":", and not "." or "..".')
  .openapi({ example: 'wal-1234' });

/** No control characters, no line or paragraph separators, no halves of surrogate pairs. */
export const referenceText = z
  .string()
  .max(REFERENCE_LENGTH_MAX)
  .regex(/^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]+$/u, 'Must be printable text.')
  .openapi({
    minLength: 1,
    // Said again: the generator writes the flag of the expression into it.
    pattern: '^[^\\p{Cc}\\p{Cs}\\p{Zl}\\p{Zp}]+$',
    description: "The client's own reference.",
    example: 'order-1001',
  });

/** Who changes something, and why: in the audit log before the change is made. */
export const operatorFields = {
  actor: clientId('jane'),
  reason: referenceText.openapi({ description: 'For the audit log.', example: 'the wallet was back at 12:10' }),
};

/** RFC 3339 with an offset. */
export const instant = z.iso
  .datetime({ offset: true, error: 'Must be an RFC 3339 time with an offset.' })
  .openapi({ example: '2026-11-24T12:00:00Z' });

/** What an `instant` of a query says, in milliseconds since the epoch; absent where it is. */
export function instantMs(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Date.parse(text);
}

/** A time of ours: RFC 3339, UTC, milliseconds. */
export const timestamp = z.iso.datetime({ precision: 3 }).openapi({ example: '2026-11-24T12:00:00.000Z' });

/** Query values are text: digits only, so that `1e2` and `0x10` are not numbers here. */
export function limitParameter(max: number, byDefault: number) {
  return z
    .string()
    .regex(/^[0-9]{1,6}$/, 'Must be a whole number.')
    .transform(Number)
    .refine((limit) => limit >= 1 && limit <= max, `Must be 1 to ${max}.`)
    .optional()
    .transform((limit) => limit ?? byDefault)
    .openapi({ type: 'integer', minimum: 1, maximum: max, default: byDefault, description: 'Items in one page.' });
}

export const pageLimit = limitParameter(PAGE_LIMIT_MAX, PAGE_LIMIT_DEFAULT);

export const pageCursor = z
  .string()
  .max(CURSOR_LENGTH_MAX)
  .optional()
  .openapi({ description: '`next_cursor` of the page before, with the same filters.' });

/** For routes without query parameters: one that is sent is a mistake worth telling. */
export const noQuery = z.strictObject({});

/** The shape of every list. */
export function listOf<Item extends z.ZodType>(item: Item) {
  return z.object({
    object: z.literal('list'),
    data: z.array(item),
    next_cursor: z.string().nullable().openapi({ description: 'null on the last page.' }),
  });
}

type Present<T> = { [Key in keyof T]: Exclude<T[Key], undefined> };

/** What optional fields parse to, without members that are `undefined`: absent members stay absent from the stored request. */
export function withoutAbsent<T extends object>(body: T): Present<T> {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined)) as Present<T>;
}
