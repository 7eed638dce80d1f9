/**
 * What an object spends of its storage, counted where it is spent: the rows that its statements read and write, by their own
 * cursors, its keys, each a row of the platform's table, and its alarms, each a written row
 * (https://developers.cloudflare.com/durable-objects/platform/pricing/). An object uses the meter's `sql`, `kv` and alarms in place of its
 * storage's own, and reads a cursor to its end before the next statement. Used by the saga's host and the wallet.
 */
import { type Spent, sumOfSpent } from '../src/domain/cost/spent.ts';

/** The part of an object's SQL that stores use. */
export type Sql = Pick<SqlStorage, 'exec'>;
/** The same, with how large all that it stores is, in bytes. */
export type SizedSql = Pick<SqlStorage, 'exec' | 'databaseSize'>;
/** The part of an object's keys that stores use. */
export type Kv = Pick<SyncKvStorage, 'get' | 'put' | 'delete'>;

interface Counted {
  readonly rowsRead: number;
  readonly rowsWritten: number;
}

export class StorageMeter {
  readonly #storage: DurableObjectStorage;
  /** The newest cursor: it counts while it is read, so it is asked when the next statement begins, or when it is looked at. */
  #open: Counted | null = null;
  #rowsRead = 0;
  #rowsWritten = 0;
  readonly sql: SizedSql;
  readonly kv: Kv;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.sql = {
      exec: <T extends Record<string, SqlStorageValue>>(query: string, ...bindings: unknown[]) => {
        this.#close();
        const cursor = storage.sql.exec<T>(query, ...bindings);
        this.#open = cursor;
        return cursor;
      },
      get databaseSize() {
        return storage.sql.databaseSize;
      },
    };
    this.kv = {
      get: <T>(key: string) => {
        const value = storage.kv.get<T>(key);
        if (value !== undefined) this.#rowsRead += 1;
        return value;
      },
      put: (key, value) => {
        this.#rowsWritten += 1;
        storage.kv.put(key, value);
      },
      delete: (key) => {
        const isThere = storage.kv.delete(key);
        if (isThere) this.#rowsWritten += 1;
        return isThere;
      },
    };
  }

  setAlarm(atMs: number): Promise<void> {
    this.#rowsWritten += 1;
    return this.#storage.setAlarm(atMs);
  }

  /** Deletes are written rows too. */
  deleteAlarm(): Promise<void> {
    this.#rowsWritten += 1;
    return this.#storage.deleteAlarm();
  }

  /** What was spent since this was last asked. */
  take(): Spent {
    this.#close();
    const spent = sumOfSpent({ object_rows_read: this.#rowsRead, object_rows_written: this.#rowsWritten });
    this.#rowsRead = 0;
    this.#rowsWritten = 0;
    return spent;
  }

  #close(): void {
    this.#rowsRead += this.#open?.rowsRead ?? 0;
    this.#rowsWritten += this.#open?.rowsWritten ?? 0;
    this.#open = null;
  }
}
