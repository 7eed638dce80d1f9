/** What a saga's object stores: one value that is written whole, pages of what has grown too long, and what older versions left. */
import { evictDurableObject, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { describe, expect, test } from 'vitest';
import { type Commit, type Head, SAGA_KEY, SagaStore } from '../../durable-objects/saga/store.ts';
import { SAGA_PAGE_TEXT_MAX } from '../../src/domain/limits.ts';
import type { SagaRecord } from '../../src/domain/saga/record.ts';
import { type StoredCommit, sealOf } from '../../src/domain/saga/seal.ts';
import { asTables, editCommits, failWrites, heldIn } from '../support/saga-storage.ts';

const stubOf = (name: string) => env.PAYMENT_SAGA.getByName(`store of ${name}`);

/** Runs with the storage of an object that is no payment. */
function inStorage<Result>(name: string, run: (storage: DurableObjectStorage) => Result): Promise<Result> {
  return runInDurableObject(stubOf(name), (_, { storage }) => run(storage));
}

const recordOf = (sequence: number, more: object = {}) =>
  ({ format: 2, saga: { sequence }, ...more }) as unknown as SagaRecord;
const commitOf = (sequence: number, closes = false, text = '') =>
  ({ events: [{ metadata: { sequence }, text }], closes }) as unknown as Commit;

/** Commits of one event each. */
function filled(storage: DurableObjectStorage, count: number, text = ''): SagaStore<SagaRecord> {
  const store = new SagaStore<SagaRecord>(storage);
  for (let n = 1; n <= count; n += 1) store.append(commitOf(n, n === count, text), recordOf(n));
  return store;
}

const sequencesOf = (commits: readonly StoredCommit[]) => commits.map(({ sequenceLast }) => sequenceLast);

function expectSealed(commits: readonly StoredCommit[]): void {
  for (const [index, { seal, ...row }] of commits.entries()) {
    expect(seal).toBe(sealOf(commits[index - 1]?.seal ?? null, row));
  }
}

describe('a saga', () => {
  test('that is only read leaves nothing behind', async () => {
    await inStorage('nothing', (storage) => {
      const store = new SagaStore<SagaRecord>(storage);
      expect([store.load(), store.tombstone(), store.lastSeal()]).toEqual([null, null, null]);
      expect([store.commitsAfter(0), store.storedCommits(0, 9)]).toEqual([[], []]);
      expect(heldIn(storage)).toEqual({});
    });
  });

  test('has its newest record, and its commits in order, each sealed with the one before', async () => {
    await inStorage('order', (storage) => {
      filled(storage, 3);
      const store = new SagaStore<SagaRecord>(storage);
      expect(store.load()).toEqual(recordOf(3));
      expect(store.commitsAfter(1).map(({ events, closes }) => [events[0]?.metadata.sequence, closes])).toEqual([
        [2, false],
        [3, true],
      ]);
      expect(store.commitsAfter(0, 1)).toHaveLength(1);
      const stored = store.storedCommits(0, 9);
      expect(sequencesOf(stored)).toEqual([1, 2, 3]);
      expect(sequencesOf(store.storedCommits(1, 1))).toEqual([2]);
      expectSealed(stored);
      expect(store.lastSeal()).toBe(stored[2]?.seal);
    });
  });

  test('that changes with nothing to tell has its newest commit written anew, and closed by time where that is asked', async () => {
    await inStorage('replaced', (storage) => {
      const store = filled(storage, 2);
      store.append(commitOf(3), recordOf(3));
      store.replace(recordOf(3, { publishAttempts: 1 }));
      expect(store.load()).toEqual(recordOf(3, { publishAttempts: 1 }));
      expect(store.commitsAfter(2)).toEqual([{ ...commitOf(3), closes: false }]);
      store.replace(recordOf(3, { runCost: { queue_operations: 2 } }), true);
      expect(store.commitsAfter(2)).toEqual([{ ...commitOf(3, true), runCost: { queue_operations: 2 } }]);
      // Closed once is closed.
      store.replace(recordOf(3));
      expect(store.commitsAfter(2)).toEqual([commitOf(3, true)]);
      // Of another moment than the newest: nothing is lost by it.
      store.replace(recordOf(2));
      expect(store.load()).toEqual(recordOf(3));
      expectSealed(store.storedCommits(0, 9));
    });
  });

  test('is what it was when a write fails', async () => {
    await inStorage('failing', (storage) => {
      const store = filled(storage, 2);
      const heal = failWrites(storage, () => true);
      expect(() => store.append(commitOf(3), recordOf(3))).toThrow('refuses');
      heal();
      expect(store.load()).toEqual(recordOf(2));
      store.append(commitOf(3), recordOf(3));
      expectSealed(store.storedCommits(0, 9));
    });
  });

  test('is handed to the auditor as it is stored, and not as it is remembered', async () => {
    await inStorage('edited', (storage) => {
      const store = filled(storage, 2);
      editCommits(storage.kv, (commit) => ({ ...commit, events: '[]' }));
      expect(store.storedCommits(0, 9).map(({ events }) => events)).toEqual(['[]', '[]']);
    });
  });

  test('that is forgotten is as if it had never been', async () => {
    await inStorage('forgotten', (storage) => {
      const store = filled(storage, 1);
      store.forget();
      expect([store.load(), heldIn(storage)]).toEqual([null, {}]);
    });
  });
});

describe('a long saga', () => {
  const TEXT = 'x'.repeat(SAGA_PAGE_TEXT_MAX / 4);

  test('has its older commits in pages, which are written once, and reads as one', async () => {
    await inStorage('paged', (storage) => {
      filled(storage, 11, TEXT);
      // Four texts and what is around them are more than a page's worth.
      expect(heldIn(storage)).toEqual({ commits: 3, pages: 2 });
      expect(storage.kv.get<Head>(SAGA_KEY)?.pages).toEqual([4, 8]);
      const store = new SagaStore<SagaRecord>(storage);
      const stored = store.storedCommits(0, 99);
      expect(sequencesOf(stored)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
      expectSealed(stored);
      expect(sequencesOf(store.storedCommits(3, 3))).toEqual([4, 5, 6]);
      expect(sequencesOf(store.storedCommits(8, 3))).toEqual([9, 10, 11]);
      expect(store.commitsAfter(4).map(({ events }) => events[0]?.metadata.sequence)).toEqual([5, 6, 7, 8, 9, 10, 11]);
    });
  });

  test('reads no page that the answer has no room for', async () => {
    await inStorage('read in part', (storage) => {
      filled(storage, 11, TEXT);
      const reads: string[] = [];
      const get = (key: string) => {
        reads.push(key);
        return storage.kv.get(key);
      };
      const store = new SagaStore<SagaRecord>({ kv: { get }, sql: storage.sql } as unknown as DurableObjectStorage);
      expect(sequencesOf(store.storedCommits(0, 4))).toEqual([1, 2, 3, 4]);
      expect(reads).toEqual([SAGA_KEY, 'page 0']);
    });
  });

  test('has its record as each event was committed, whatever page that is in', async () => {
    await inStorage('as of', (storage) => {
      const store = filled(storage, 9, TEXT);
      store.append({ events: [10, 11].flatMap((n) => commitOf(n).events), closes: true }, recordOf(11));
      expect(storage.kv.get<Head>(SAGA_KEY)?.pages).toEqual([4, 8]);
      const read = new SagaStore<SagaRecord>(storage);
      for (let n = 1; n <= 9; n += 1) expect(read.recordAsOf(n)).toEqual(recordOf(n));
      // The events of one commit have one record.
      expect([read.recordAsOf(10), read.recordAsOf(11)]).toEqual([recordOf(11), recordOf(11)]);
      expect(read.recordAsOf(12)).toBeNull();
    });
  });

  test('is sealed over the edge of a page, also when the first commit after it is written anew', async () => {
    await inStorage('edge', (storage) => {
      const store = filled(storage, 5, TEXT);
      expect(heldIn(storage)).toEqual({ commits: 1, pages: 1 });
      store.replace(recordOf(5, { publishAttempts: 1 }));
      expectSealed(store.storedCommits(0, 99));
    });
  });

  test('leaves one value when it expires', async () => {
    await inStorage('expired', (storage) => {
      const store = filled(storage, 11, TEXT);
      const tombstone = { entityId: 'pay_1', expiredAtMs: 1, remains: null };
      storage.transactionSync(() => store.expire(tombstone));
      expect(heldIn(storage)).toEqual({ tombstone: true });
      expect([store.load(), store.tombstone(), store.storedCommits(0, 9)]).toEqual(['expired', tombstone, []]);
      expect(new SagaStore(storage).load()).toBe('expired');
    });
  });
});

describe('a saga of an older version', () => {
  test('reads the same out of its tables, and takes them over with its first write', async () => {
    await inStorage('tables', (storage) => {
      const before = filled(storage, 3).storedCommits(0, 9);
      asTables(storage);
      const store = new SagaStore<SagaRecord>(storage);
      expect(store.load()).toEqual(recordOf(3));
      expect(store.storedCommits(0, 9)).toEqual(before);
      expect(heldIn(storage)).toEqual({ tables: ['commits'] });
      store.append(commitOf(4), recordOf(4));
      expect(heldIn(storage)).toEqual({ commits: 4 });
      expect(store.storedCommits(0, 9).slice(0, 3)).toEqual(before);
      expectSealed(store.storedCommits(0, 9));
    });
  });

  test('has tables and values never both, whatever fails', async () => {
    const stub = stubOf('atomic');
    await inStorage('atomic', (storage) => {
      filled(storage, 2);
      asTables(storage);
    });
    await evictDurableObject(stub);
    await inStorage('atomic', (storage) => {
      const store = new SagaStore<SagaRecord>(storage);
      const heal = failWrites(storage, () => true);
      expect(() => store.replace(recordOf(2))).toThrow('refuses');
      heal();
      expect(heldIn(storage)).toEqual({ tables: ['commits'] });
      store.replace(recordOf(2));
      expect(heldIn(storage)).toEqual({ commits: 2 });
    });
  });

  test('that was only ever claimed and forgotten holds nothing', async () => {
    await inStorage('empty tables', (storage) => {
      filled(storage, 1);
      asTables(storage);
      storage.sql.exec('DELETE FROM commits');
      const store = new SagaStore<SagaRecord>(storage);
      expect(store.load()).toBeNull();
      store.append(commitOf(1), recordOf(1));
      expect(heldIn(storage)).toEqual({ commits: 1 });
    });
  });
});
