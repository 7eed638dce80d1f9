/**
 * Counts what the platform bills at its own edge, whoever spends it: statements, alarms, sends, D1 batches and calls of objects, by
 * wrapping the runtime's classes and the objects' methods. Knows nothing of the meter: it is what the meter is compared with.
 */
import { runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import worker, { PaymentSaga, ProviderHealth, RefundSaga, Wallet } from '../../src/index.ts';

/**
 * Tables of what is counted for a payment: its wallet's, and those that a saga's object of an older version had and is asked for. The
 * simulated provider's are no part of the bill.
 */
const TABLES = /\b(commits|tombstones|entries|effects|resolutions|wallet|schema_history)\b/;

export interface PlatformCount {
  rowsWritten: number;
  rowsRead: number;
  alarmWrites: number;
  d1RowsWritten: number;
  d1RowsRead: number;
  sends: number;
  batches: number;
  deliveries: number;
  calls: number;
}

const ZERO: PlatformCount & { keysWritten: number; keysRead: number } = {
  keysWritten: 0,
  keysRead: 0,
  rowsWritten: 0,
  rowsRead: 0,
  alarmWrites: 0,
  d1RowsWritten: 0,
  d1RowsRead: 0,
  sends: 0,
  batches: 0,
  deliveries: 0,
  calls: 0,
};

type Method = (...input: unknown[]) => unknown;

/** What each class answers to that a payment needs; reads of clients and operators are nobody's. */
const CALLS: readonly (readonly [prototype: object, methods: readonly string[]])[] = [
  [
    PaymentSaga.prototype,
    ['create', 'deliver', 'acknowledge', 'awaits', 'commandDied', 'reserveRefund', 'settleRefund', 'alarm'],
  ],
  [RefundSaga.prototype, ['create', 'deliver', 'acknowledge', 'awaits', 'commandDied', 'alarm']],
  [Wallet.prototype, ['execute']],
  [ProviderHealth.prototype, ['ask', 'tell']],
];

export class PlatformCounter {
  #count = { ...ZERO };
  /** Cursors count while they are read, so they are asked when the sum is. */
  #cursors: { readonly rowsWritten: number; readonly rowsRead: number }[] = [];
  #isAside = false;

  /** Wraps, once per test file: the classes are the isolate's own. */
  async install(): Promise<void> {
    const count = () => this.#count;
    const cursors = () => this.#cursors;
    const add = ({ meta }: D1Result): void => {
      count().d1RowsWritten += meta.rows_written;
      count().d1RowsRead += meta.rows_read;
    };
    const stub = env.PAYMENT_SAGA.getByName('no payment: its storage has the classes that are wrapped');
    await runInDurableObject(stub, (_saga, state) => {
      wrap(Object.getPrototypeOf(state.storage.sql) as object, 'exec', (result, [query]) => {
        if (TABLES.test(String(query))) cursors().push(result as SqlStorageCursor<Record<string, SqlStorageValue>>);
      });
      // A key is a row of the platform's table, which it has made for itself.
      const kv = Object.getPrototypeOf(state.storage.kv) as object;
      wrap(kv, 'put', () => {
        if (!this.#isAside) count().keysWritten += 1;
      });
      wrap(kv, 'delete', (wasThere) => {
        if (!this.#isAside && wasThere === true) count().keysWritten += 1;
      });
      wrap(kv, 'get', (value) => {
        if (!this.#isAside && value !== undefined) count().keysRead += 1;
      });
      for (const name of ['setAlarm', 'deleteAlarm']) {
        wrap(Object.getPrototypeOf(state.storage) as object, name, () => {
          count().alarmWrites += 1;
        });
      }
    });
    wrap(Object.getPrototypeOf(env.WALLET_COMMANDS) as object, 'send', () => {
      count().sends += 1;
    });
    wrap(Object.getPrototypeOf(env.DB) as object, 'batch', (result) => {
      void (result as Promise<D1Result[]>).then((results) => results.forEach(add));
    });
    for (const name of ['run', 'all']) {
      wrap(Object.getPrototypeOf(env.DB.prepare('SELECT 1')) as object, name, (result) => {
        void (result as Promise<D1Result>).then(add);
      });
    }
    wrap(worker, 'queue', (_result, [batch]) => {
      count().batches += 1;
      count().deliveries += (batch as MessageBatch).messages.length;
    });
    for (const [prototype, methods] of CALLS) {
      for (const method of methods) {
        wrap(prototype, method, (_result, input) => {
          // What an object tells itself is no request.
          if (input[1] !== false) count().calls += 1;
        });
      }
    }
  }

  /** What a test itself looks at is not counted. */
  aside<Result>(look: () => Result): Result {
    const cursors = this.#cursors;
    this.#cursors = [];
    this.#isAside = true;
    try {
      return look();
    } finally {
      this.#cursors = cursors;
      this.#isAside = false;
    }
  }

  begin(): void {
    this.#count = { ...ZERO };
    this.#cursors = [];
  }

  end(): PlatformCount {
    const sum = (of: 'rowsWritten' | 'rowsRead') => this.#cursors.reduce((total, cursor) => total + cursor[of], 0);
    const { keysWritten, keysRead, ...count } = this.#count;
    return { ...count, rowsWritten: keysWritten + sum('rowsWritten'), rowsRead: keysRead + sum('rowsRead') };
  }
}

function wrap(prototype: object, name: string, note: (result: unknown, input: readonly unknown[]) => void): void {
  // One that a class inherits gets a wrapper of its own.
  const original = Reflect.get(prototype, name) as Method;
  Reflect.set(prototype, name, function wrapped(this: unknown, ...input: unknown[]) {
    const result = original.apply(this, input);
    note(result, input);
    return result;
  });
}
