/**
 * Wallets, deposits and ledger entries on the wire (WalletView, EntryView and BalanceAt of the domain's contracts).
 */
import { z } from '@hono/zod-openapi';
import { CLIENT_ID_PATTERN } from '../../domain/ids.ts';
import { ENTRY_TYPES } from '../../domain/wallet-rpc.ts';
import { amountMinor, currencyCode, listOf, referenceText, timestamp, walletId } from './common.ts';

const balance = z.number().int().nonnegative();

/** Body of `POST /wallets`. */
export const walletOpenSchema = z
  .strictObject({ id: walletId.optional(), currency: currencyCode })
  .openapi('WalletOpen');

/** Body of `POST /wallets/{id}/deposits`. */
export const depositSchema = z
  .strictObject({ amount: amountMinor, currency: currencyCode, reference: referenceText.optional() })
  .openapi('Deposit');

export const walletSchema = z
  .object({
    id: z.string(),
    object: z.literal('wallet'),
    currency: currencyCode,
    available: balance,
    held: balance,
    settled: balance.openapi({ description: 'What left for services.' }),
    external: balance.openapi({ description: 'What came in from outside.' }),
    version: z.number().int().nonnegative().openapi({ description: 'Grows by one per ledger entry.' }),
    frozen: z.boolean().openapi({ description: 'An operator has it refuse new payments and deposits.' }),
    holds: z
      .array(z.object({ payment_id: z.string(), amount: amountMinor, expires_at: timestamp }))
      .openapi({ description: 'Open holds, oldest first; `holds_total` counts all.' }),
    holds_total: z.number().int().nonnegative(),
    created_at: timestamp,
  })
  .openapi('Wallet');

export const entrySchema = z
  .object({
    object: z.literal('ledger_entry'),
    sequence: z.number().int().positive(),
    type: z.enum(ENTRY_TYPES),
    effect_id: z.string(),
    payment_id: z.string().optional(),
    reference: z.string().optional(),
    postings: z
      .array(z.object({ account: z.enum(['available', 'held', 'settled', 'external']), amount: z.number().int() }))
      .openapi({ description: 'Double entry: they sum to zero.' }),
    balances: z.object({ available: balance, held: balance, settled: balance, external: balance }),
    created_at: timestamp,
    hash: z.string().openapi({ description: 'Covers this entry and `previous_hash`.' }),
    previous_hash: z.string(),
  })
  .openapi('LedgerEntry');

const balanceAt = z
  .object({
    available: balance,
    held: balance,
    settled: balance,
    external: balance,
    version: z.number().int().nonnegative(),
  })
  .openapi('BalanceAt');

export const entryListSchema = listOf(entrySchema)
  .extend({ balance_at: balanceAt.optional().openapi({ description: 'As it stood at `at`; only when asked.' }) })
  .openapi('LedgerEntryList');

/** A wallet of the directory: what never changes of it. */
const walletRowSchema = z
  .object({ id: z.string(), object: z.literal('wallet_row'), currency: currencyCode, created_at: timestamp })
  .openapi('WalletRow');

export const walletListSchema = listOf(walletRowSchema).openapi('WalletList');

/** An id that breaks the grammar names nothing: 404, like any other that does not exist. */
export const walletIdParams = z.object({ id: z.string().regex(CLIENT_ID_PATTERN).openapi({ example: 'wal-1234' }) });
