/**
 * How far a walk of the auditor has come: all that one page hands to the next, through the caller. It is the caller's own
 * walk: who changes it deceives nobody else.
 */
import { z } from 'zod';

const minor = z.number();
const tallySchema = z.strictObject({ count: z.number(), sum: z.number() });
const countsSchema = z.record(z.string(), z.number());

const ledgerStateSchema = z.strictObject({
  version: z.number(),
  hash: z.string(),
  createdAtMs: z.number(),
  balances: z.strictObject({ available: minor, held: minor, settled: minor, external: minor }),
  ended: tallySchema,
  stored: tallySchema,
  afterEffect: z.string().nullable(),
  afterResolution: z.string().nullable(),
});

const totalsSchema = z.record(
  z.string(),
  z.strictObject({ available: z.string(), held: z.string(), settled: z.string(), external: z.string() }),
);

const walletKeySchema = z.strictObject({ merchant: z.string(), mode: z.enum(['sandbox', 'live']), id: z.string() });

export const positionSchema = z.discriminatedUnion('part', [
  z.strictObject({
    part: z.literal('wallets'),
    /** The last wallet that is done. */
    after: walletKeySchema.nullable(),
    /** A wallet that takes more than one page, and how far it is audited. By its name: another may be listed before it meanwhile. */
    begun: z.strictObject({ wallet: walletKeySchema, state: ledgerStateSchema }).nullable(),
    /** Of all wallets so far. */
    totals: totalsSchema,
  }),
  z.strictObject({ part: z.literal('payments'), after: z.string() }),
  z.strictObject({ part: z.literal('refunds'), after: z.string() }),
  z.strictObject({
    part: z.literal('events'),
    after: z.strictObject({ groupId: z.string(), first: z.number() }),
    counted: countsSchema,
    /** The counters as they stood before the first page. */
    before: countsSchema,
    /** The last trimming of logs before the first page: `counted` began with what had gone until then. */
    trimNumber: z.number(),
  }),
  z.strictObject({ part: z.literal('archives'), after: z.number() }),
  z.strictObject({
    part: z.literal('audit_log'),
    head: z.strictObject({ id: z.number(), hash: z.string().nullable() }),
  }),
]);

export type Position = z.infer<typeof positionSchema>;
export type PositionOf<Part extends Position['part']> = Extract<Position, { part: Part }>;

export const START: Position = { part: 'wallets', after: null, begun: null, totals: {} };
