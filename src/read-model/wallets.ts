/**
 * Typed queries over `wallets` (migrations/0008_audit.sql): the directory of which wallets exist. A row is what never
 * changes of a wallet; balances are its object's. Written by the payment-events consumer and the rebuild.
 */
import type { Scope } from '../domain/ids.ts';
import type { WalletRow } from '../domain/messages.ts';

const ENTER = `
  INSERT INTO wallets (merchant, mode, id, currency, created_at_ms)
  SELECT value ->> '$.merchant', value ->> '$.mode', value ->> '$.id', value ->> '$.currency', value ->> '$.created_at_ms'
  FROM json_each(?1) WHERE true
  ON CONFLICT (merchant, mode, id) DO NOTHING`;

/** Enters wallets, each once. @throws what D1 throws, with nothing written. */
export async function enterWallets(db: D1Database, rows: readonly WalletRow[]): Promise<void> {
  await db.prepare(ENTER).bind(JSON.stringify(rows)).run();
}

type WalletKey = Pick<WalletRow, 'merchant' | 'mode' | 'id'>;

/** At most `limit` wallets after the one given, in the order of the directory. */
export async function walletsAfter(db: D1Database, after: WalletKey | null, limit: number): Promise<WalletRow[]> {
  return directory(db, '>', after, limit);
}

/** The same from the one given on, itself the first if it is listed. */
export async function walletsFrom(db: D1Database, from: WalletKey, limit: number): Promise<WalletRow[]> {
  return directory(db, '>=', from, limit);
}

async function directory(db: D1Database, is: '>' | '>=', key: WalletKey | null, limit: number): Promise<WalletRow[]> {
  const { results } = await db
    .prepare(
      `SELECT id, merchant, mode, currency, created_at_ms FROM wallets
       WHERE (merchant, mode, id) ${is} (?, ?, ?) ORDER BY merchant, mode, id LIMIT ?`,
    )
    .bind(key?.merchant ?? '', key?.mode ?? '', key?.id ?? '', limit)
    .all<WalletRow>();
  return results;
}

/** Greater than every character that an id can have (CLIENT_ID_PATTERN). */
const AFTER_ALL_IDS = '~';

/**
 * One page of a merchant's wallets, by id, at most `limit`, after `afterId`; with `prefix`, those whose ids begin with it.
 * Reads the primary key's range and nothing else.
 */
export async function listWallets(
  db: D1Database,
  scope: Scope,
  prefix: string,
  afterId: string,
  limit: number,
): Promise<{ readonly rows: readonly WalletRow[]; readonly nextId: string | null }> {
  const { results } = await db
    .withSession('first-unconstrained')
    .prepare(
      `SELECT id, merchant, mode, currency, created_at_ms FROM wallets
       WHERE merchant = ? AND mode = ? AND id > ? AND id >= ? AND id < ? ORDER BY id LIMIT ?`,
    )
    .bind(scope.merchant, scope.mode, afterId, prefix, `${prefix}${AFTER_ALL_IDS}`, limit + 1)
    .all<WalletRow>();
  const rows = results.slice(0, limit);
  return { rows, nextId: results.length > limit ? (rows.at(-1)?.id ?? null) : null };
}
