/**
 * Typed SQL of one key's storage; knows JSON, not rules. Nothing is written, not even a table, for an object that was only
 * asked: anyone may ask about a key that never was.
 */
import type { ApiKeyState } from '../../src/domain/api-key-record.ts';
import { SCHEMA } from './schema.ts';

export class ApiKeyStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  load(): ApiKeyState | null {
    const tables = this.#sql.exec(`SELECT 1 FROM sqlite_master WHERE name = 'api_key'`).toArray();
    if (tables.length === 0) return null;
    const [row] = this.#sql.exec<{ state: string }>('SELECT state FROM api_key').toArray();
    return row === undefined ? null : (JSON.parse(row.state) as ApiKeyState);
  }

  save(state: ApiKeyState): void {
    for (const statement of SCHEMA) this.#sql.exec(statement);
    this.#sql.exec('INSERT OR REPLACE INTO api_key (only, state) VALUES (1, ?)', JSON.stringify(state));
  }
}
