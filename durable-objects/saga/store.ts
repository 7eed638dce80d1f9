/**
 * What one saga's object stores, whatever its kind; knows commits, JSON and seals, not sagas. Synchronous throughout: a commit has no
 * await in it. Nothing is written for an object that was only read.
 *
 * One written row per commit is the design: all commits are one value of the key-value interface, written whole, and each has its
 * events and the whole saga as it stood after them, so that state and log cannot disagree; the newest is the state. The table behind it is
 * the platform's own, and making it is not billed (decision 0067).
 */
import type { Spent } from '../../src/domain/cost/spent.ts';
import type { Envelope } from '../../src/domain/events/envelope.ts';
import { SAGA_PAGE_TEXT_MAX } from '../../src/domain/limits.ts';
import type { SagaRecord } from '../../src/domain/saga/record.ts';
import { SEALED_FORMAT, type StoredCommit, sealOf } from '../../src/domain/saga/seal.ts';
import type { Tombstone } from '../../src/domain/saga/tombstone.ts';
import type { Kv, Sql } from '../storage-meter.ts';
import { dropTables, readTables } from './tables.ts';

export interface Commit {
  readonly events: readonly Envelope[];
  readonly closes: boolean;
  readonly runCost?: Spent;
}

/** A living saga. */
export interface Head {
  /** Of each page of older commits, its last sequence, oldest first. Page n is under the key `pageKey(n)`. */
  readonly pages: readonly number[];
  /** All commits that are in no page, oldest first; the newest is always here. */
  readonly commits: readonly StoredCommit[];
}

/** What is left after the retention. */
export interface Grave {
  readonly tombstone: Tombstone;
}

/** Where the one value of a saga is. Evolves by what it has, and what its JSON texts hold by `format` in them. */
export const SAGA_KEY = 'saga';

const NO_COMMITS: Head = { pages: [], commits: [] };

export class SagaStore<Recorded extends SagaRecord> {
  readonly #kv: Kv;
  readonly #sql: Sql;
  /** As it is stored; null: nothing is; undefined: not read yet in this life of the object. */
  #known: Head | Grave | null | undefined;
  /** The object was last written by a version that had tables: the next write takes them over. */
  #hasTables = false;

  constructor({ kv, sql }: { readonly kv: Kv; readonly sql: Sql }) {
    this.#kv = kv;
    this.#sql = sql;
  }

  /** The newest record; `expired` where only a tombstone is left; null for an object that holds nothing. */
  load(): Recorded | 'expired' | null {
    const stored = this.#stored();
    if (stored === null) return null;
    if ('tombstone' in stored) return 'expired';
    const newest = stored.commits.at(-1);
    return newest === undefined ? null : (JSON.parse(newest.record) as Recorded);
  }

  /** What is left after the retention; null where nothing has been emptied. */
  tombstone(): Tombstone | null {
    const stored = this.#stored();
    return stored !== null && 'tombstone' in stored ? stored.tombstone : null;
  }

  /** One commit, one written row; one more where the older commits have become a page. */
  append(commit: Commit, record: Recorded): void {
    const head = this.#paged(this.#head());
    const made = {
      sequenceLast: record.saga.sequence,
      closes: commit.closes ? 1 : 0,
      events: JSON.stringify(commit.events),
      record: textOf(record),
    };
    const seal = sealOf(this.#sealAt(head, head.commits.length - 1), made);
    this.#write({ ...head, commits: [...head.commits, { ...made, seal }] });
  }

  /**
   * The record changed with nothing to tell: a command was sent again, or taken over. The newest commit is sealed anew.
   * @param closes the run of the newest commit closes with it, by time.
   */
  replace(record: Recorded, closes = false): void {
    const head = this.#head();
    const newest = head.commits.at(-1);
    if (newest?.sequenceLast !== record.saga.sequence) return;
    const next = { ...newest, closes: closes ? 1 : newest.closes, record: textOf(record) };
    const seal = sealOf(this.#sealAt(head, head.commits.length - 2), next);
    this.#write({ ...head, commits: head.commits.with(-1, { ...next, seal }) });
  }

  /** Commits whose events come after `sequence`, oldest first; absent `limit`: all of them. */
  commitsAfter(sequence: number, limit?: number): Commit[] {
    return this.#after(this.#head(), sequence, limit).map(({ events, closes, record }) => {
      // Only a commit that closes a run tells of its cost.
      const { runCost } = closes === 1 ? (JSON.parse(record) as SagaRecord) : {};
      return {
        events: JSON.parse(events) as Envelope[],
        closes: closes === 1,
        ...(runCost !== undefined && { runCost }),
      };
    });
  }

  /** The record as the commit with that event left it; null where there is none. */
  recordAsOf(sequence: number): Recorded | null {
    const [commit] = this.#after(this.#head(), sequence - 1, 1);
    return commit === undefined ? null : (JSON.parse(commit.record) as Recorded);
  }

  /** At most `limit` commits after `sequence`, oldest first, as they are stored, whatever is in memory. */
  storedCommits(sequence: number, limit: number): StoredCommit[] {
    const stored = this.#fresh();
    return stored === null || 'tombstone' in stored ? [] : this.#after(stored, sequence, limit);
  }

  /** The seal of the newest commit; null where it has none. */
  lastSeal(): string | null {
    return this.#head().commits.at(-1)?.seal ?? null;
  }

  /**
   * Replaces everything by a tombstone. To be called inside of one transaction: were it to fail after its first write,
   * what was removed must come back, or the key would be free again.
   */
  expire(tombstone: Tombstone): void {
    const { pages } = this.#head();
    for (const [index] of pages.entries()) this.#kv.delete(pageKey(index));
    this.#write({ tombstone });
  }

  /** Undoes the claim of a key whose saga never began: the key is free again. */
  forget(): void {
    this.#kv.delete(SAGA_KEY);
    this.#known = null;
  }

  #stored(): Head | Grave | null {
    if (this.#known === undefined) this.#known = this.#fresh();
    return this.#known;
  }

  #fresh(): Head | Grave | null {
    const stored = this.#kv.get<Head | Grave>(SAGA_KEY);
    if (stored !== undefined) return stored;
    const tables = readTables(this.#sql);
    this.#hasTables = tables !== null;
    if (tables === null || 'tombstone' in tables) return tables;
    return { ...NO_COMMITS, commits: tables.commits };
  }

  #head(): Head {
    const stored = this.#stored();
    return stored === null || 'tombstone' in stored ? NO_COMMITS : stored;
  }

  #write(next: Head | Grave): void {
    this.#kv.put(SAGA_KEY, next);
    if (this.#hasTables) dropTables(this.#sql);
    this.#hasTables = false;
    this.#known = next;
  }

  /** A value has an upper size, and is written whole: what has grown too long goes to a page, which is never written again. */
  #paged(head: Head): Head {
    const last = head.commits.at(-1);
    if (last === undefined || textLengthOf(head.commits) <= SAGA_PAGE_TEXT_MAX) return head;
    this.#kv.put(pageKey(head.pages.length), head.commits);
    return { pages: [...head.pages, last.sequenceLast], commits: [] };
  }

  /** The seal of the head's commit of that index, or of the last one before the head where it has none; null: nothing is before. */
  #sealAt({ pages, commits }: Head, index: number): string | null {
    const before = index >= 0 ? commits[index] : this.#page(pages.length - 1).at(-1);
    return before?.seal ?? null;
  }

  #page(index: number): readonly StoredCommit[] {
    return index < 0 ? [] : (this.#kv.get<readonly StoredCommit[]>(pageKey(index)) ?? []);
  }

  /** Reads no more pages than it takes: all of a saga may be more than a call should hold. */
  #after({ pages, commits }: Head, sequence: number, limit = Number.POSITIVE_INFINITY): StoredCommit[] {
    const found: StoredCommit[] = [];
    const isAfter = ({ sequenceLast }: StoredCommit) => sequenceLast > sequence;
    for (const [index, last] of pages.entries()) {
      if (found.length >= limit) break;
      if (last > sequence) found.push(...this.#page(index).filter(isAfter));
    }
    if (found.length < limit) found.push(...commits.filter(isAfter));
    return found.slice(0, limit);
  }
}

function pageKey(index: number): string {
  return `page ${index}`;
}

function textLengthOf(commits: readonly StoredCommit[]): number {
  return commits.reduce((sum, { events, record }) => sum + events.length + record.length, 0);
}

function textOf(record: SagaRecord): string {
  return JSON.stringify({ ...record, format: SEALED_FORMAT });
}
