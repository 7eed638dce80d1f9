/**
 * Typed SQL of one endpoint's storage; knows tables and JSON, not rules. Synchronous throughout: a commit has no await in
 * it. Nothing is written, not even a table, for an object that was only read.
 */
import type { DeliveryKey, WebhookEndpointState, WebhookEventType } from '../../src/domain/webhook.ts';
import type { Delivery, DeliveryHistory } from '../../src/domain/webhook-delivery.ts';
import { SCHEMA } from './schema.ts';

/** Rows that one pruning takes away: it is part of an alarm that has other things to do. */
const PRUNED_ROWS_MAX = 1_000;

type Row = {
  created_at_ms: number;
  hash: string;
  event_type: string;
  status: string;
  due_at_ms: number | null;
  history: string;
  body: string;
};

export class WebhookEndpointStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  load(): WebhookEndpointState | null {
    const tables = this.#sql.exec(`SELECT 1 FROM sqlite_master WHERE name = 'endpoint'`).toArray();
    if (tables.length === 0) return null;
    const [row] = this.#sql.exec<{ state: string }>('SELECT state FROM endpoint').toArray();
    return row === undefined ? null : (JSON.parse(row.state) as WebhookEndpointState);
  }

  create(state: WebhookEndpointState): void {
    for (const statement of SCHEMA) this.#sql.exec(statement);
    this.save(state);
  }

  save(state: WebhookEndpointState): void {
    this.#sql.exec('INSERT OR REPLACE INTO endpoint (only, state) VALUES (1, ?)', JSON.stringify(state));
  }

  /** Adds a delivery; false when it is there already. */
  add(delivery: Delivery): boolean {
    const { rowsWritten } = this.#sql.exec(
      `INSERT INTO deliveries (created_at_ms, hash, event_type, status, due_at_ms, history, body)
       VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
      delivery.createdAtMs,
      delivery.hash,
      delivery.eventType,
      delivery.status,
      delivery.dueAtMs,
      JSON.stringify(delivery.history),
      delivery.body,
    );
    return rowsWritten > 0;
  }

  update({ createdAtMs, hash, status, dueAtMs, history }: Delivery): void {
    this.#sql.exec(
      'UPDATE deliveries SET status = ?, due_at_ms = ?, history = ? WHERE created_at_ms = ? AND hash = ?',
      status,
      dueAtMs,
      JSON.stringify(history),
      createdAtMs,
      hash,
    );
  }

  find({ createdAtMs, hash }: DeliveryKey): Delivery | null {
    const [row] = this.#sql
      .exec<Row>('SELECT * FROM deliveries WHERE created_at_ms = ? AND hash = ?', createdAtMs, hash)
      .toArray();
    return row === undefined ? null : toDelivery(row);
  }

  /** Newest first, older than `before`. */
  list(before: DeliveryKey | null, limit: number): Delivery[] {
    return this.#sql
      .exec<Row>(
        `SELECT * FROM deliveries WHERE (created_at_ms, hash) < (?, ?)
         ORDER BY created_at_ms DESC, hash DESC LIMIT ?`,
        before?.createdAtMs ?? Number.MAX_SAFE_INTEGER,
        before?.hash ?? '',
        limit,
      )
      .toArray()
      .map(toDelivery);
  }

  /** What is due next, in order: at most `limit`. */
  dueNext(limit: number): (DeliveryKey & { readonly dueAtMs: number })[] {
    return this.#sql
      .exec<{ created_at_ms: number; hash: string; due_at_ms: number }>(
        'SELECT created_at_ms, hash, due_at_ms FROM deliveries WHERE due_at_ms IS NOT NULL ORDER BY due_at_ms LIMIT ?',
        limit,
      )
      .toArray()
      .map((row) => ({ createdAtMs: row.created_at_ms, hash: row.hash, dueAtMs: row.due_at_ms }));
  }

  countPending(): number {
    return this.#sql
      .exec<{ count: number }>('SELECT COUNT(*) AS count FROM deliveries WHERE due_at_ms IS NOT NULL')
      .one().count;
  }

  /** When the oldest delivery was made; null when there is none. */
  oldestAtMs(): number | null {
    return this.#sql.exec<{ at: number | null }>('SELECT MIN(created_at_ms) AS at FROM deliveries').one().at;
  }

  /** Forgets deliveries made before `atMs`, those still pending only where asked. */
  prune(atMs: number, pendingToo: boolean): void {
    this.#sql.exec(
      `DELETE FROM deliveries WHERE (created_at_ms, hash) IN (
         SELECT created_at_ms, hash FROM deliveries
         WHERE created_at_ms < ? AND (due_at_ms IS NULL OR ?) ORDER BY created_at_ms LIMIT ?
       )`,
      atMs,
      pendingToo ? 1 : 0,
      PRUNED_ROWS_MAX,
    );
  }
}

function toDelivery(row: Row): Delivery {
  return {
    createdAtMs: row.created_at_ms,
    hash: row.hash,
    eventType: row.event_type as WebhookEventType,
    status: row.status as Delivery['status'],
    dueAtMs: row.due_at_ms,
    history: JSON.parse(row.history) as DeliveryHistory,
    body: row.body,
  };
}
