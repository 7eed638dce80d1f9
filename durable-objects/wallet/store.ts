/**
 * Typed SQL of a wallet's storage; knows tables, not rules. Synchronous throughout. What it keeps in memory (the wallet,
 * the newest entry, the open holds) is read on first use and must be forgotten whenever a transaction was rolled back.
 * Nothing is written, not even a table, for an object that was only read. Called by the Wallet object only.
 */
import { InvariantError, type WalletRefusal } from '../../src/domain/errors.ts';
import type { StoredEffect } from '../../src/domain/ledger/decide.ts';
import {
  foldHolds,
  type LedgerEntry,
  type OpenHold,
  type OpenHolds,
  type Posting,
  type Resolution,
} from '../../src/domain/ledger/entry.ts';
import type { LedgerStore, StoredWallet } from '../../src/domain/ledger/execute.ts';
import { HOLDS_SNAPSHOT_ENTRIES, WALLET_SIZE_BYTES_MAX } from '../../src/domain/limits.ts';
import type { EntryType } from '../../src/domain/wallet-rpc.ts';
import type { SizedSql } from '../storage-meter.ts';
import { hasSchema, migrate } from './schema.ts';

interface WalletRow extends Record<string, SqlStorageValue> {
  wallet_id: string;
  merchant: string;
  mode: 'sandbox' | 'live';
  currency: string;
  created_at_ms: number;
  frozen: number;
  alarm_at_ms: number | null;
  listed: number;
}

interface EntryRow extends Record<string, SqlStorageValue> {
  sequence: number;
  type: EntryType;
  effect_id: string;
  payment_id: string | null;
  reference: string | null;
  expires_at_ms: number | null;
  postings: string;
  available_minor: number;
  held_minor: number;
  settled_minor: number;
  external_minor: number;
  created_at_ms: number;
  open_holds: string | null;
  previous_hash: string;
  hash: string;
}

interface EffectRow extends Record<string, SqlStorageValue> {
  effect_id: string;
  content: string;
  version: number | null;
  refusal: WalletRefusal | null;
  decided_at_ms: number;
  hash: string;
}

/** As of the last write. */
interface Present {
  wallet: StoredWallet | null;
  /** When the alarm was last set to ring; one in the past has rung. */
  alarmAtMs: number | null;
  isListed: boolean;
  head: LedgerEntry | null;
  readonly holds: Map<string, OpenHold>;
}

export class WalletStore implements LedgerStore {
  readonly #sql: SizedSql;
  /** Whether the tables are there, and as this code knows them. */
  #isReady = false;
  #present: Present | null = null;

  constructor(sql: SizedSql) {
    this.#sql = sql;
  }

  /** Forgets what is in memory: after a rollback, what is stored is the truth. */
  forget(): void {
    this.#isReady = false;
    this.#present = null;
  }

  wallet(): StoredWallet | null {
    return this.#load().wallet;
  }

  alarmAtMs(): number | null {
    return this.#load().alarmAtMs;
  }

  /** Whether the directory (D1) is known to have the wallet. */
  isListed(): boolean {
    return this.#load().isListed;
  }

  head(): LedgerEntry | null {
    return this.#load().head;
  }

  openHolds(): OpenHolds {
    return this.#load().holds;
  }

  entry(sequence: number): LedgerEntry {
    const [entry] = this.entries(sequence - 1, 1);
    if (entry?.sequence !== sequence) throw new InvariantError('entry_present', { sequence });
    return entry;
  }

  /** At most `limit` entries after `sequence`, oldest first. */
  entries(sequence: number, limit: number): LedgerEntry[] {
    if (!this.#hasTables()) return [];
    return this.#sql
      .exec<EntryRow>('SELECT * FROM entries WHERE sequence > ? ORDER BY sequence LIMIT ?', sequence, limit)
      .toArray()
      .map(entryOf);
  }

  /** The entries of a range that name one of the payments, oldest first. */
  entriesOf(paymentIds: readonly string[], { after, last }: { after: number; last: number }): LedgerEntry[] {
    if (!this.#hasTables()) return [];
    return this.#sql
      .exec<EntryRow>(
        `SELECT * FROM entries WHERE sequence > ? AND sequence <= ?
         AND payment_id IN (SELECT value FROM json_each(?)) ORDER BY sequence`,
        after,
        last,
        JSON.stringify(paymentIds),
      )
      .toArray()
      .map(entryOf);
  }

  /** The sequence of the last entry made at or before `atMs`; 0 when there is none. Times never run backwards. */
  lastSequenceAt(atMs: number): number {
    let low = 0;
    let high = this.head()?.sequence ?? 0;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.entry(middle).createdAtMs <= atMs) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  effect(effectId: string): StoredEffect | null {
    if (!this.#hasTables()) return null;
    const [row] = this.#sql.exec<EffectRow>('SELECT * FROM effects WHERE effect_id = ?', effectId).toArray();
    return row === undefined ? null : effectOf(row);
  }

  /** At most `limit` effects whose id comes after `effectId`, in the order of their ids. */
  effects(effectId: string, limit: number): StoredEffect[] {
    if (!this.#hasTables()) return [];
    return this.#sql
      .exec<EffectRow>('SELECT * FROM effects WHERE effect_id > ? ORDER BY effect_id LIMIT ?', effectId, limit)
      .toArray()
      .map(effectOf);
  }

  resolution(paymentId: string): Resolution | null {
    if (!this.#hasTables()) return null;
    const [row] = this.#sql
      .exec<{ resolution: Resolution }>('SELECT resolution FROM resolutions WHERE payment_id = ?', paymentId)
      .toArray();
    return row?.resolution ?? null;
  }

  isFull(): boolean {
    return this.#sql.databaseSize >= WALLET_SIZE_BYTES_MAX;
  }

  /** At most `limit` resolutions of payments whose id comes after `paymentId`, in the order of their ids. */
  resolutions(paymentId: string, limit: number): [paymentId: string, resolution: Resolution][] {
    if (!this.#hasTables()) return [];
    return this.#sql
      .exec<{ payment_id: string; resolution: Resolution }>(
        'SELECT payment_id, resolution FROM resolutions WHERE payment_id > ? ORDER BY payment_id LIMIT ?',
        paymentId,
        limit,
      )
      .toArray()
      .map((row) => [row.payment_id, row.resolution]);
  }

  openWallet(wallet: StoredWallet): void {
    this.#write(
      `INSERT INTO wallet (wallet_id, merchant, mode, currency, created_at_ms, frozen, alarm_at_ms)
       VALUES (?, ?, ?, ?, ?, ?, NULL)`,
      wallet.walletId,
      wallet.scope.merchant,
      wallet.scope.mode,
      wallet.currency,
      wallet.createdAtMs,
      wallet.frozen ? 1 : 0,
    );
    this.#load().wallet = wallet;
  }

  setFrozen(frozen: boolean): void {
    this.#write('UPDATE wallet SET frozen = ?', frozen ? 1 : 0);
    const present = this.#load();
    if (present.wallet !== null) present.wallet = { ...present.wallet, frozen };
  }

  setAlarmAtMs(alarmAtMs: number | null): void {
    this.#write('UPDATE wallet SET alarm_at_ms = ?', alarmAtMs);
    this.#load().alarmAtMs = alarmAtMs;
  }

  /** The directory has it; the alarm that may have waited for that stands for nothing any more. */
  setListed(): void {
    this.#write('UPDATE wallet SET listed = 1, alarm_at_ms = NULL');
    const present = this.#load();
    present.isListed = true;
    present.alarmAtMs = null;
  }

  appendEntry(entry: LedgerEntry): void {
    const { available, held, settled, external } = entry.balances;
    this.#write(
      `INSERT INTO entries (sequence, type, effect_id, payment_id, reference, expires_at_ms, postings, available_minor,
         held_minor, settled_minor, external_minor, created_at_ms, open_holds, previous_hash, hash)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      entry.sequence,
      entry.type,
      entry.effectId,
      entry.paymentId,
      entry.reference,
      entry.expiresAtMs,
      JSON.stringify(entry.postings),
      available,
      held,
      settled,
      external,
      entry.createdAtMs,
      entry.openHolds === null ? null : JSON.stringify(entry.openHolds),
      entry.previousHash,
      entry.hash,
    );
    const present = this.#load();
    present.head = entry;
    foldHolds(present.holds, entry);
  }

  appendEffect(effect: StoredEffect): void {
    this.#write(
      'INSERT INTO effects (effect_id, content, version, refusal, decided_at_ms, hash) VALUES (?, ?, ?, ?, ?, ?)',
      effect.effectId,
      effect.content,
      effect.version,
      effect.refusal,
      effect.decidedAtMs,
      effect.hash,
    );
  }

  appendResolution(paymentId: string, resolution: Resolution): void {
    this.#write('INSERT INTO resolutions (payment_id, resolution) VALUES (?, ?)', paymentId, resolution);
  }

  /** The present is loaded before the first write, so that no write is counted in it twice. */
  #write(statement: string, ...bindings: (string | number | null)[]): void {
    this.#load();
    if (!this.#isReady) {
      migrate(this.#sql);
      this.#isReady = true;
    }
    this.#sql.exec(statement, ...bindings);
  }

  #hasTables(): boolean {
    if (!this.#isReady && hasSchema(this.#sql)) {
      migrate(this.#sql);
      this.#isReady = true;
    }
    return this.#isReady;
  }

  #load(): Present {
    this.#present ??= this.#hasTables() ? this.#read() : emptyPresent();
    return this.#present;
  }

  /** The wallet's row, the newest entry, and the open holds: those of the last snapshot, and what happened since. */
  #read(): Present {
    const present = emptyPresent();
    const [row] = this.#sql.exec<WalletRow>('SELECT * FROM wallet').toArray();
    if (row === undefined) return present;
    present.wallet = walletOf(row);
    present.alarmAtMs = row.alarm_at_ms;
    present.isListed = row.listed === 1;
    const [newest] = this.#sql.exec<EntryRow>('SELECT * FROM entries ORDER BY sequence DESC LIMIT 1').toArray();
    if (newest === undefined) return present;
    present.head = entryOf(newest);
    const snapshotSequence = newest.sequence - (newest.sequence % HOLDS_SNAPSHOT_ENTRIES);
    for (const entry of this.entries(snapshotSequence - 1, HOLDS_SNAPSHOT_ENTRIES)) {
      if (entry.openHolds === null) foldHolds(present.holds, entry);
      else for (const hold of entry.openHolds) present.holds.set(hold.paymentId, hold);
    }
    return present;
  }
}

function emptyPresent(): Present {
  return { wallet: null, alarmAtMs: null, isListed: false, head: null, holds: new Map() };
}

function walletOf(row: WalletRow): StoredWallet {
  return {
    scope: { merchant: row.merchant, mode: row.mode },
    walletId: row.wallet_id,
    currency: row.currency,
    createdAtMs: row.created_at_ms,
    frozen: row.frozen === 1,
  };
}

function effectOf({ effect_id: effectId, decided_at_ms: decidedAtMs, ...row }: EffectRow): StoredEffect {
  const { content, version, refusal, hash } = row;
  return { effectId, content, version, refusal, decidedAtMs, hash };
}

function entryOf(row: EntryRow): LedgerEntry {
  return {
    sequence: row.sequence,
    type: row.type,
    effectId: row.effect_id,
    paymentId: row.payment_id,
    reference: row.reference,
    expiresAtMs: row.expires_at_ms,
    postings: JSON.parse(row.postings) as Posting[],
    balances: {
      available: row.available_minor,
      held: row.held_minor,
      settled: row.settled_minor,
      external: row.external_minor,
    },
    createdAtMs: row.created_at_ms,
    openHolds: row.open_holds === null ? null : (JSON.parse(row.open_holds) as OpenHold[]),
    previousHash: row.previous_hash,
    hash: row.hash,
  };
}
