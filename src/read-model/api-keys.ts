/**
 * Typed queries over `api_keys` (migrations/0011_api_keys.sql): the list of keys, for people. No request is let in by it: a key
 * is its object's, and a row here is written after the object has changed.
 */
import type { KeyScope, Purview } from '../domain/api-key.ts';
import type { ApiKeyRecord } from '../domain/api-key-record.ts';
import type { Scope } from '../domain/ids.ts';
import { type Conditions, listRows, type PagePosition } from './pages.ts';

interface Row {
  readonly id: string;
  readonly at_ms: number;
  readonly mode: Scope['mode'];
  readonly merchant: string | null;
  readonly name: string;
  readonly scopes: string;
  readonly rotated_from: string | null;
  readonly expires_at_ms: number | null;
  readonly revoked_at_ms: number | null;
}

const COLUMNS = 'id, created_at_ms AS at_ms, mode, merchant, name, scopes, rotated_from, expires_at_ms, revoked_at_ms';

/** What is known only grows: two that write at once, in whatever order, leave the earlier end and the revocation. */
const ENTER = `
  INSERT INTO api_keys (id, mode, merchant, name, scopes, rotated_from, created_at_ms, expires_at_ms, revoked_at_ms)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
  ON CONFLICT (id) DO UPDATE SET
    expires_at_ms = MIN(COALESCE(expires_at_ms, excluded.expires_at_ms), COALESCE(excluded.expires_at_ms, expires_at_ms)),
    revoked_at_ms = COALESCE(revoked_at_ms, excluded.revoked_at_ms)`;

/** Enters a key as its object has it, or what has changed of one. Any number of times. */
export async function enterApiKey(db: D1Database, key: ApiKeyRecord): Promise<void> {
  const { id, mode, merchant, name, scopes, rotatedFrom, createdAtMs, expiresAtMs, revokedAtMs } = key;
  await db
    .prepare(ENTER)
    .bind(id, mode, merchant, name, JSON.stringify(scopes), rotatedFrom, createdAtMs, expiresAtMs, revokedAtMs)
    .run();
}

/** How many keys of a merchant, or of the platform (null), count at `nowMs`, as far as the list knows. */
export async function countActiveApiKeys(
  db: D1Database,
  mode: Scope['mode'],
  merchant: string | null,
  nowMs: number,
): Promise<number> {
  const count = await db
    .prepare(
      `SELECT COUNT(*) AS n FROM api_keys
       WHERE mode = ? AND merchant IS ? AND revoked_at_ms IS NULL AND (expires_at_ms IS NULL OR expires_at_ms > ?)`,
    )
    .bind(mode, merchant, nowMs)
    .first<number>('n');
  return count ?? 0;
}

/** One page of a merchant's keys, newest first, at most `limit`; with a platform key, of everybody's. */
export async function listApiKeys(
  db: D1Database,
  { merchant, mode, isPlatform }: Purview,
  ofMerchant: string | undefined,
  position: PagePosition | null,
  limit: number,
): Promise<{ readonly keys: readonly ApiKeyRecord[]; readonly next: PagePosition | null }> {
  const conditions: Conditions = [
    ['mode = ?', mode],
    ['merchant = ?', isPlatform ? undefined : (merchant ?? undefined)],
    ['merchant = ?', ofMerchant],
  ];
  const from = { table: 'api_keys', columns: COLUMNS, time: 'created_at_ms' } as const;
  const { rows, next } = await listRows<Row>(db, from, conditions, position, limit);
  return { keys: rows.map(recordOf), next };
}

function recordOf(row: Row): ApiKeyRecord {
  return {
    id: row.id,
    mode: row.mode,
    merchant: row.merchant,
    name: row.name,
    scopes: JSON.parse(row.scopes) as KeyScope[],
    rotatedFrom: row.rotated_from,
    createdAtMs: row.at_ms,
    expiresAtMs: row.expires_at_ms,
    revokedAtMs: row.revoked_at_ms,
  };
}
