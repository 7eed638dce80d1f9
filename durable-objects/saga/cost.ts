/**
 * The cost of one saga, as its object adds it up: what it spends itself, and what consumers report with what they deliver. It is
 * stored with the record, in rows that are written anyway: a commit's own row and alarm are charged before they are written, so
 * that what is stored is complete (decision 0064). What comes after a commit is kept in memory until the next. Used by the host.
 */
import { type Spent, spentSince, sumOfSpent } from '../../src/domain/cost/spent.ts';
import { OBJECT_CALL, sending } from '../../src/domain/cost/work.ts';
import type { SagaRecord } from '../../src/domain/saga/record.ts';
import { StorageMeter } from '../storage-meter.ts';

/** What storing a record spends, after it was charged: counted by the test of the meter. */
const ROW: Spent = { object_rows_written: 1 };
const ALARM: Spent = { object_rows_written: 1 };

export class SagaCost {
  readonly storage: StorageMeter;
  /** Spent, and in no record yet. */
  #unstored: Spent = {};
  /** In a record already, and not spent yet: the row that the record itself is written in. */
  #ahead: Spent = {};
  /** How many waits keep the object awake, and since when one does. */
  #waits = 0;
  #awakeSinceMs = 0;

  constructor(storage: DurableObjectStorage) {
    this.storage = new StorageMeter(storage);
  }

  add(...spent: readonly (Spent | undefined)[]): void {
    this.#unstored = sumOfSpent(this.#unstored, ...spent);
  }

  /** A call of this object. */
  called(...spent: readonly (Spent | undefined)[]): void {
    this.add(OBJECT_CALL, ...spent);
  }

  sent(body: unknown): void {
    this.add(sending(body));
  }

  /** Counts the time that the object waits for this; times of several waits at once are one time, as they are billed. */
  async during<Result>(wait: Promise<Result>): Promise<Result> {
    if (this.#waits === 0) this.#awakeSinceMs = Date.now();
    this.#waits += 1;
    try {
      return await wait;
    } finally {
      this.#waits -= 1;
      if (this.#waits === 0) this.add({ object_ms: Date.now() - this.#awakeSinceMs });
    }
  }

  /** All that the saga has cost up to now; `record`: as it is stored. */
  total(record: SagaRecord): Spent {
    this.#settle();
    return sumOfSpent(record.cost, this.#unstored);
  }

  /** The record as it is to be written: with all that was spent up to now, its own row, and its alarm if that is to be set. */
  charged<Recorded extends SagaRecord>(record: Recorded, setsAlarm: boolean): Recorded {
    const own = sumOfSpent(ROW, setsAlarm ? ALARM : {});
    const cost = sumOfSpent(this.total(record), own);
    this.#unstored = {};
    this.#ahead = sumOfSpent(this.#ahead, own);
    return { ...record, cost };
  }

  #settle(): void {
    const taken = this.storage.take();
    this.add(spentSince(this.#ahead, taken));
    this.#ahead = spentSince(taken, this.#ahead);
  }
}
