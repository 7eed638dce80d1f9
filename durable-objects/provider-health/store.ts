/**
 * Typed SQL of the breakers; knows JSON, not rules. A breaker that has never opened nor been forced has no row, so a healthy
 * provider's object writes nothing at all.
 */
import { type Breaker, CLOSED } from '../../src/domain/circuit-breaker.ts';
import type { GatewayOperation } from '../../src/domain/events/catalogue.ts';
import { SCHEMA } from './schema.ts';

export class BreakerStore {
  readonly #sql: SqlStorage;
  #hasTables: boolean;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#hasTables = sql.exec(`SELECT 1 FROM sqlite_master WHERE name = 'breakers'`).toArray().length > 0;
  }

  load(): Map<GatewayOperation, Breaker> {
    if (!this.#hasTables) return new Map();
    const rows = this.#sql
      .exec<{ operation: string; state: string }>('SELECT operation, state FROM breakers')
      .toArray();
    return new Map(
      rows.map((row) => [row.operation as GatewayOperation, { ...CLOSED, ...(JSON.parse(row.state) as Breaker) }]),
    );
  }

  /** Writes when something that must outlive the object has changed. */
  save(operation: GatewayOperation, before: Breaker, after: Breaker): void {
    if (durable(before) === durable(after)) return;
    if (!this.#hasTables) {
      for (const statement of SCHEMA) this.#sql.exec(statement);
      this.#hasTables = true;
    }
    this.#sql.exec('REPLACE INTO breakers (operation, state) VALUES (?, ?)', operation, durable(after));
  }
}

function durable({ buckets: _counts, ...rest }: Breaker): string {
  return JSON.stringify(rest);
}
